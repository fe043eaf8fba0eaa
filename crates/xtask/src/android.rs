//! Android devices for the browser tests: those that adb lists, or emulators that are booted for it.

use std::env;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::adb::Adb;
use crate::progress::{note, step_within};
use crate::project::{Project, ask, on_path};

/// Who plays with Chrome for Android.
#[derive(Debug, PartialEq, Eq)]
pub enum Seats {
    /// These devices, each with this port of this machine as its own.
    Ready { serials: Vec<String>, port: u16 },
    /// Nobody, and why.
    Empty { reason: String },
}

/// Finds or boots the devices that were asked for; without names, all that are attached.
pub fn seats(project: &Project, wanted: &[String]) -> Result<Seats> {
    let mut command = project.command("adb");
    command.arg("start-server");
    step_within(project, "start the adb server", command, Duration::from_secs(60))?;
    let adb = Adb::usual();
    let mut serials = Vec::new();
    for name in wanted {
        serials.push(find_or_boot(project, &adb, name)?);
    }
    if wanted.is_empty() {
        serials = usable(&adb)?;
    }
    if serials.is_empty() {
        let reason = "adb lists no device; plug one in with USB debugging on, or name an emulator";
        return Ok(Seats::Empty { reason: reason.to_owned() });
    }
    let port = free_port()?;
    for serial in &serials {
        adb.reverse(serial, port)?;
        note(&format!("{serial}: localhost:{port} is this machine's"));
    }
    Ok(Seats::Ready { serials, port })
}

fn usable(adb: &Adb) -> Result<Vec<String>> {
    let devices = adb.devices()?;
    for device in devices.iter().filter(|device| device.state != "device") {
        note(&format!("{} is {}; look at its screen", device.serial, device.state));
    }
    Ok(devices.into_iter().filter(|d| d.state == "device").map(|d| d.serial).collect())
}

/// The serial of an attached device, or of the emulator of that name once it has booted.
fn find_or_boot(project: &Project, adb: &Adb, name: &str) -> Result<String> {
    if adb.devices()?.iter().any(|device| device.serial == name) {
        await_boot(adb, name, BOOT_LIMIT, PAUSE)?;
        return Ok(name.to_owned());
    }
    let Some(emulator) = emulator() else {
        bail!(
            "adb does not list {name}, and no Android SDK with an emulator was found (ANDROID_HOME)"
        );
    };
    let known = ask(&emulator, &["-list-avds"]).unwrap_or_default();
    if !known.lines().any(|line| line == name) {
        bail!("{name} is neither a device that adb lists nor one of the emulators: {known}");
    }
    boot(project, adb, &emulator, name)
}

/// Starts an emulator. It is left running, so that the next run finds it.
fn boot(project: &Project, adb: &Adb, emulator: &Path, name: &str) -> Result<String> {
    let port = free_console_port(adb)?;
    let serial = format!("emulator-{port}");
    note(&format!("booting the emulator {name} as {serial}"));
    project
        .command(emulator)
        .args(["-avd", name, "-port", &port.to_string()])
        .args(["-no-window", "-no-audio", "-no-boot-anim", "-no-snapshot-save"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", emulator.display()))?;
    await_boot(adb, &serial, BOOT_LIMIT, PAUSE)?;
    Ok(serial)
}

/// Waits until the device is attached and Android says that it has booted.
fn await_boot(adb: &Adb, serial: &str, limit: Duration, pause: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    loop {
        let attached = adb.devices()?.iter().any(|d| d.serial == serial && d.state == "device");
        if attached && adb.shell(serial, "getprop sys.boot_completed")?.trim() == "1" {
            return Ok(());
        }
        if Instant::now() >= end {
            bail!("{serial} did not boot within {} s; look at its screen", limit.as_secs());
        }
        thread::sleep(pause);
    }
}

fn emulator() -> Option<PathBuf> {
    ["ANDROID_HOME", "ANDROID_SDK_ROOT"]
        .iter()
        .filter_map(env::var_os)
        .map(|sdk| Path::new(&sdk).join("emulator/emulator"))
        .find(|path| path.is_file())
        .or_else(|| on_path("emulator"))
}

/// Emulators take an even port from 5554 on, and name themselves by it.
fn free_console_port(adb: &Adb) -> Result<u16> {
    let devices = adb.devices()?;
    (5554..=5584)
        .step_by(2)
        .find(|port| devices.iter().all(|d| d.serial != format!("emulator-{port}")))
        .context("sixteen emulators are running; stop one")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

const BOOT_LIMIT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::thread::JoinHandle;

    use super::*;

    /// An adb server that expects these requests, in this order, one connection per inner list.
    fn scripted(script: Vec<Vec<(&'static str, &'static str)>>) -> (Adb, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let adb = Adb::at(listener.local_addr().unwrap().to_string());
        let server = thread::spawn(move || {
            for connection in script {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                for (expected, answer) in connection {
                    let mut length = [0; 4];
                    stream.read_exact(&mut length).unwrap();
                    let length = std::str::from_utf8(&length).unwrap();
                    let mut request = vec![0; usize::from_str_radix(length, 16).unwrap()];
                    stream.read_exact(&mut request).unwrap();
                    assert_eq!(String::from_utf8_lossy(&request), expected);
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        (adb, server)
    }

    #[test]
    fn a_boot_is_awaited_until_android_says_so() {
        let transport = ("host:transport:emulator-5554", "OKAY");
        let (adb, server) = scripted(vec![
            vec![("host:devices", "OKAY0000")],
            vec![("host:devices", "OKAY0016emulator-5554\toffline\n")],
            vec![("host:devices", "OKAY0015emulator-5554\tdevice\n")],
            vec![transport, ("shell:getprop sys.boot_completed", "OKAY\n")],
            vec![("host:devices", "OKAY0015emulator-5554\tdevice\n")],
            vec![transport, ("shell:getprop sys.boot_completed", "OKAY1\n")],
        ]);
        await_boot(&adb, "emulator-5554", Duration::from_secs(5), Duration::ZERO).unwrap();
        server.join().unwrap();
    }

    #[test]
    fn a_boot_that_never_ends_is_given_up() {
        let (adb, server) = scripted(vec![vec![("host:devices", "OKAY0000")]]);
        let error = await_boot(&adb, "x", Duration::ZERO, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("x did not boot within 0 s"), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn a_port_is_reversed_and_a_refusal_is_told() {
        let request = "reverse:forward:tcp:81;tcp:81";
        let (adb, server) = scripted(vec![
            vec![("host:transport:a", "OKAY"), (request, "OKAYOKAY")],
            vec![("host:transport:a", "OKAY"), (request, "OKAYFAIL0004busy")],
            vec![("host:transport:b", "FAIL0010device not found")],
        ]);
        adb.reverse("a", 81).unwrap();
        assert!(format!("{:#}", adb.reverse("a", 81).unwrap_err()).ends_with("busy"));
        let error = format!("{:#}", adb.reverse("b", 81).unwrap_err());
        assert!(error.ends_with("device not found"), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn only_devices_that_answer_take_a_seat_and_ports_do_not_collide() {
        let list = "OKAY0024emulator-5554\tdevice\nb\tunauthorized\n";
        let (adb, server) =
            scripted(vec![vec![("host:devices", list)], vec![("host:devices", list)]]);
        assert_eq!(usable(&adb).unwrap(), ["emulator-5554"]);
        assert_eq!(free_console_port(&adb).unwrap(), 5556);
        server.join().unwrap();
    }

    #[test]
    fn something_that_is_no_adb_server_is_an_error() {
        let (adb, server) = scripted(vec![vec![("host:devices", "HTTP/1.1 400")]]);
        let error = format!("{:#}", adb.devices().unwrap_err());
        assert!(error.contains("not an adb server"), "{error}");
        server.join().unwrap();
    }
}
