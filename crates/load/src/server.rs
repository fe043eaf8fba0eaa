//! The server as a child of this process.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

use crate::{Error, process::Usage};

/// A server with an empty app; it is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Open, so that it may go on to print.
    _output: BufReader<ChildStdout>,
    /// The app and the log.
    _folder: TempDir,
}

impl Server {
    /// With its usual limits, but for those of how many there are, and of what comes from one address.
    pub(crate) fn start(program: &Path) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("index.html"), "")?;
        let log = folder.path().join("log");
        let mut child = command(program, folder.path(), &log)?
            .spawn()
            .map_err(|source| Error::Start { program: program.into(), source })?;
        let mut output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        match listening_on(&mut output) {
            Some(address) => Ok(Self { child, address, _output: output, _folder: folder }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(Error::Mute { log: fs::read_to_string(&log)? })
            }
        }
    }

    /// What it has taken until now; nothing where there is no `/proc`.
    pub(crate) fn usage(&self) -> Option<Usage> {
        Usage::of(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(program: &Path, app: &Path, log: &Path) -> io::Result<Command> {
    let mut command = Command::new(program);
    command.args(["--listen", "127.0.0.1:0", "--app"]).arg(app);
    command.args(["--max-rooms", "--max-connections", "--max-connections-per-address"].map(many));
    command.args(["--max-connects-per-sec", "--max-connects-burst"].map(many));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?);
    Ok(command)
}

fn many(option: &str) -> String {
    format!("{option}=100000")
}

fn listening_on(output: &mut impl io::BufRead) -> Option<SocketAddr> {
    let line = output.lines().next()?.ok()?;
    line.strip_prefix("listening on http://")?.trim_end_matches('/').parse().ok()
}
