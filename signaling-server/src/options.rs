//! What stands on the command line.

use std::{
    env, fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::Parser;
use protocol::signal::IceServer;
use signaling_server::{Config, Error, Forwarded, Limits, Secret, Turn};
use tracing::level_filters::LevelFilter;

use crate::{log::LogFormat, secure::Secure, shared::Shared};

/// Introduces phones to each other, and serves the app and its models.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// Where to listen; port 0 lets the system choose, 0.0.0.0 is every network of this machine
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The built app
    #[arg(long, value_name = "DIR", default_value = "web/dist")]
    pub app: PathBuf,
    /// A folder with .gguf files; may be repeated
    #[arg(long, value_name = "DIR")]
    pub models: Vec<PathBuf>,
    /// Where certificates and keys are kept [default: the user's state folder]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Behind a proxy: count sockets by the last client that this header names: x-forwarded-for (usual) or forwarded
    #[arg(long, value_name = "HEADER", num_args = 0..=1, require_equals = true, default_missing_value = "x-forwarded-for")]
    pub trust_forwarded: Option<Forwarded>,
    /// Note every answer in this file, as a line of JSON
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// What is logged on the standard error: off, error, warn, info or debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: LevelFilter,
    /// How it is written; json is a line of JSON for each event
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Show the page's address as a QR code
    #[arg(long)]
    pub qr: bool,
    /// TURN, for phones that cannot reach each other: a UDP address to listen on, usually with port 3478
    #[arg(long, value_name = "ADDR:PORT")]
    pub turn: Option<SocketAddr>,
    /// Where phones reach the TURN server, if not on the address that it listens on
    #[arg(long, value_name = "IP", requires = "turn")]
    pub turn_public: Option<IpAddr>,
    /// A file with the static-auth-secret of the TURN servers that --ice-server names, and of --turn
    #[arg(long, value_name = "FILE")]
    pub turn_secret: Option<PathBuf>,
    /// A STUN or TURN URL, or a JSON object {"urls":[..],"username":..,"credential":..}; may be repeated
    #[arg(long, value_name = "SERVER", value_parser = parse_ice_server)]
    pub ice_server: Vec<IceServer>,
    /// Other servers with the same rooms
    #[command(flatten)]
    pub shared: Shared,
    /// How pages become secure ones
    #[command(flatten)]
    pub secure: Secure,
    /// Bounds on what a client can do
    #[command(flatten)]
    pub limits: Limits,
}

impl Options {
    /// The library's form; loads or makes the certificate.
    pub fn into_config(self) -> Result<Config, Error> {
        let identity = self.secure.identity(&self.state_folder())?;
        let turn = self.turn.map(|listen| Turn { listen, public: self.turn_public });
        let turn_secret = self.turn_secret.as_deref().map(read_secret).transpose()?;
        Ok(Config {
            app_dir: self.app,
            model_dirs: self.models,
            access_log: self.access_log,
            ice_servers: self.ice_server,
            turn,
            turn_secret,
            identity,
            trust_forwarded: self.trust_forwarded,
            nats: self.shared.nats(),
            limits: self.limits,
        })
    }
}

impl Options {
    /// Where certificates and keys are kept.
    pub fn state_folder(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(usual_state)
    }
}

/// As the XDG base directory specification has it.
fn usual_state() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let base = base.or_else(|| set("HOME").map(|home| home.join(".local/state")));
    base.unwrap_or_else(env::temp_dir).join("lingualinked")
}

fn parse_ice_server(text: &str) -> Result<IceServer, String> {
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    match text.split_once(':') {
        Some(("stun" | "stuns" | "turn" | "turns", _)) => {
            Ok(IceServer { urls: vec![text.to_owned()], username: None, credential: None })
        }
        _ => Err("expected stun:HOST, turn:HOST or a JSON object".to_owned()),
    }
}

/// The file's first line.
fn read_secret(file: &Path) -> Result<Secret, Error> {
    let failed = |reason: String| Error::TurnSecret { file: file.to_owned(), reason };
    let text = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(Secret::new(line.as_bytes())),
        _ => Err(failed("its first line is empty".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn options_are_consistent() {
        Options::command().debug_assert();
        let options = Options::parse_from(["server", "--ice-server", "stun:a", "--max-rooms", "3"]);
        assert_eq!((options.ice_server.len(), options.limits.rooms), (1, 3));
    }

    /// Each option, and its default, stands in the manual.
    #[test]
    fn the_manual_is_complete() {
        let manual = include_str!("../../docs/server.md");
        for option in Options::command().get_arguments() {
            let Some(name) = option.get_long().filter(|name| !["help", "version"].contains(name))
            else {
                continue;
            };
            let option_name = format!("`--{name}`");
            let mut rows = manual.lines().filter(|line| line.starts_with('|'));
            let row = rows.find(|line| line.contains(&option_name));
            let row = row.unwrap_or_else(|| panic!("docs/server.md lacks --{name}"));
            for default in option.get_default_values().iter().filter_map(|value| value.to_str()) {
                let is_flag = ["true", "false"].contains(&default);
                assert!(is_flag || row.contains(&format!("`{default}`")), "{row}: {default}");
            }
        }
    }

    #[test]
    fn ice_servers() {
        let turn = parse_ice_server(r#"{"urls":["turn:a"],"username":"u","credential":"c"}"#);
        assert_eq!(turn.unwrap().username.as_deref(), Some("u"));
        assert_eq!(parse_ice_server("turn:a").unwrap().credential, None);
        for text in ["", "http://a", "{}", r#"{"urls":[],"more":1}"#] {
            assert!(parse_ice_server(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_is_the_files_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        assert!(read_secret(&file).is_err(), "no file");
        fs::write(&file, " \nnorth").unwrap();
        assert!(read_secret(&file).is_err(), "no secret");
        fs::write(&file, "north\nsouth\n").unwrap();
        let north = Secret::new(b"north").credentials("room", 1);
        assert_eq!(read_secret(&file).unwrap().credentials("room", 1), north);
    }

    #[test]
    fn odd_limits_are_refused() {
        for odd in [
            "--max-peers=0",
            "--max-peers=65",
            "--idle-timeout-secs=0",
            "--listen=8080",
            "--max-connects-per-sec=0",
            "--max-message-bytes=65537",
            "--log=loud",
        ] {
            assert!(Options::try_parse_from(["server", odd]).is_err(), "{odd}");
        }
    }
}
