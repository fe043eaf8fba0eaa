//! Phones on a cable: a port of their own localhost becomes this machine's, so that the page counts as secure there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// What adb does for one port.
pub struct Cable {
    adb: PathBuf,
    port: u16,
    /// What was said of each phone last.
    said: BTreeMap<String, String>,
    said_none: bool,
}

impl Cable {
    /// For a server that listens on `listen`, an address with its port.
    pub fn new(adb: PathBuf, listen: &str) -> Result<Self> {
        let port = listen.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        match port {
            Some(port) if port > 0 => {
                Ok(Self { adb, port, said: BTreeMap::new(), said_none: false })
            }
            _ => bail!("--usb needs a port that is known beforehand: --listen 127.0.0.1:8080, say"),
        }
    }

    /// Prints what there is to say of the phones, now and whenever that changes, until this program ends.
    pub fn watch(mut self) {
        thread::spawn(move || {
            loop {
                match self.look() {
                    Ok(news) => news.iter().for_each(|line| println!("USB: {line}")),
                    Err(error) => return println!("USB: {error:#}"),
                }
                thread::sleep(EVERY);
            }
        });
    }

    /// Looks which phones there are, and connects the new ones; a line for each change.
    fn look(&mut self) -> Result<Vec<String>> {
        let listed = devices(&self.run(&["devices"])?);
        let mut news = Vec::new();
        if listed.is_empty() && !self.said_none {
            news.push(NONE.to_owned());
        }
        self.said_none = listed.is_empty();
        self.said.retain(|serial, _| listed.iter().any(|(listed, _)| listed == serial));
        for (serial, state) in listed {
            if self.said.get(&serial) != Some(&state) {
                news.push(format!("{serial}: {}", self.connect(&serial, &state)));
                self.said.insert(serial, state);
            }
        }
        Ok(news)
    }

    fn connect(&self, serial: &str, state: &str) -> String {
        let port = format!("tcp:{}", self.port);
        match state {
            "device" => match self.run(&["-s", serial, "reverse", &port, &port]) {
                Ok(_) => format!("open http://localhost:{} in its Chrome", self.port),
                Err(error) => format!("{error:#}"),
            },
            "unauthorized" => "allow USB debugging on its screen".to_owned(),
            other => format!("adb says that it is {other}"),
        }
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        let line = args.join(" ");
        let output = Command::new(&self.adb).args(args).output();
        let output = output.with_context(|| format!("cannot run adb {line}"))?;
        if !output.status.success() {
            bail!("adb {line}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Serial numbers and states, as `adb devices` lists them.
fn devices(list: &str) -> Vec<(String, String)> {
    let lines = list.lines().filter_map(|line| line.split_once('\t'));
    lines.map(|(serial, state)| (serial.to_owned(), state.trim().to_owned())).collect()
}

const NONE: &str =
    "adb lists no phone; plug one in and switch on USB debugging (Settings, Developer options)";
const EVERY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    /// A program that stands in for adb: it lists what the file `list` says, and notes what else it is asked.
    fn scripted(folder: &Path) -> PathBuf {
        let adb = folder.join("adb");
        let at = folder.display();
        let script = format!(
            "#!/bin/sh\n\
             if [ \"$1\" = devices ]; then cat '{at}/list'; exit; fi\n\
             if [ \"$2\" = broken ]; then echo 'no such thing' >&2; exit 1; fi\n\
             echo \"$@\" >> '{at}/asked'\n"
        );
        fs::write(&adb, script).expect("the folder was just made");
        fs::set_permissions(&adb, fs::Permissions::from_mode(0o755)).expect("it is ours");
        adb
    }

    #[test]
    fn phones_are_connected_once_and_their_states_told() {
        let folder = std::env::temp_dir().join(format!("lingualinked-usb-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let lists = |lines: &str| {
            let list = format!("List of devices attached\n{lines}\n");
            fs::write(folder.join("list"), list).unwrap();
        };
        let mut cable = Cable::new(scripted(&folder), "127.0.0.1:8080").unwrap();
        lists("");
        assert_eq!(cable.look().unwrap(), [NONE]);
        assert!(cable.look().unwrap().is_empty());
        lists("a1\tunauthorized\nbroken\tdevice\noff\toffline\n");
        let news = cable.look().unwrap();
        assert_eq!(news[0], "a1: allow USB debugging on its screen");
        assert!(
            news[1].starts_with("broken: adb") && news[1].ends_with("no such thing"),
            "{news:?}"
        );
        assert_eq!(news[2], "off: adb says that it is offline");
        lists("a1\tdevice\nb2\tdevice\n");
        let open = "open http://localhost:8080 in its Chrome";
        assert_eq!(cable.look().unwrap(), [format!("a1: {open}"), format!("b2: {open}")]);
        assert!(cable.look().unwrap().is_empty());
        // Whoever was unplugged forgot.
        lists("a1\tdevice\n");
        assert!(cable.look().unwrap().is_empty());
        lists("a1\tdevice\nb2\tdevice\n");
        assert_eq!(cable.look().unwrap(), [format!("b2: {open}")]);
        let asked = fs::read_to_string(folder.join("asked")).unwrap();
        let ask = |serial: &str| format!("-s {serial} reverse tcp:8080 tcp:8080\n");
        assert_eq!(asked, [ask("a1"), ask("b2"), ask("b2")].concat());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_port_is_needed() {
        for odd in ["127.0.0.1:0", "127.0.0.1", ":", "a:b", "127.0.0.1:99999"] {
            assert!(Cable::new("adb".into(), odd).is_err(), "{odd}");
        }
        assert_eq!(Cable::new("adb".into(), "[::1]:81").unwrap().port, 81);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let mut cable = Cable::new("/nowhere/adb".into(), "127.0.0.1:8080").unwrap();
        assert!(cable.look().unwrap_err().to_string().contains("adb devices"));
    }
}
