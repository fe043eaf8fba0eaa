//! A signaling server that lives as long as the command that started it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::build::DIST;
use crate::project::Project;

/// A running server; ends when dropped.
pub struct Server {
    child: Child,
    /// Where its page is, ending in a slash.
    pub url: String,
    /// Where it notes every answer.
    pub access_log: PathBuf,
}

impl Server {
    /// Starts `program` on a free port of this machine and waits until it listens.
    pub fn start(project: &Project, program: &Path, models: &[PathBuf]) -> Result<Self> {
        let logs = project.scratch("logs")?;
        let access_log = logs.join(format!("access-{}.jsonl", std::process::id()));
        File::create(&access_log)?;
        let mut command = command(project, program, models);
        command.args(["--listen", "127.0.0.1:0", "--access-log"]).arg(&access_log);
        let errors = logs.join("server.log");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&errors)?);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start the server, {}", program.display()))?;
        match address(&mut child) {
            Some(url) => Ok(Self { child, url, access_log }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                bail!("the server did not start; its messages are in {}", errors.display())
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server with the built app and `models`; the caller adds where to listen.
pub fn command(project: &Project, program: &Path, models: &[PathBuf]) -> Command {
    let mut command = project.command(program);
    command.arg("--app").arg(project.path(DIST));
    for folder in models {
        command.arg("--models").arg(folder);
    }
    command
}

/// The bundled models' folder.
pub fn bundled_models(project: &Project) -> PathBuf {
    project.path("models/stories")
}

/// Reads the line that tells the port. What follows is read and dropped, so that the server never waits.
fn address(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(url) = line.strip_prefix("listening on ") {
                let _ = sender.try_send(url.trim().to_owned());
            }
        }
    });
    receiver.recv_timeout(START_LIMIT).ok()
}

const START_LIMIT: Duration = Duration::from_secs(20);
