//! A client of the adb server: what is attached, a command on a device, a port of this machine on a device.
//!
//! The protocol is that of `SERVICES.TXT` and `OVERVIEW.TXT` in Android's sources: a request is its length in four
//! hexadecimal digits and its text, an answer starts with `OKAY` or with `FAIL` and a message.

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Where an adb server listens.
#[derive(Clone, Debug)]
pub struct Adb {
    address: String,
}

/// A device as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What adb calls it.
    pub serial: String,
    /// `device` when it may be used; else `offline`, `unauthorized` and the like.
    pub state: String,
}

impl Adb {
    /// The server of this machine, or the one that adb's own variables name.
    pub fn usual() -> Self {
        let host = env::var("ANDROID_ADB_SERVER_ADDRESS").unwrap_or_else(|_| "127.0.0.1".into());
        let port = env::var("ANDROID_ADB_SERVER_PORT").unwrap_or_else(|_| "5037".into());
        Self::at(format!("{host}:{port}"))
    }

    /// A server at `HOST:PORT`.
    pub fn at(address: String) -> Self {
        Self { address }
    }

    /// What is attached.
    pub fn devices(&self) -> Result<Vec<Device>> {
        let mut stream = self.connect()?;
        request(&mut stream, "host:devices")?;
        let text = read_counted(&mut stream)?;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(serial, state)| Device { serial: serial.into(), state: state.into() })
            .collect())
    }

    /// What a command on the device prints, at most 64 KiB of it.
    pub fn shell(&self, serial: &str, command: &str) -> Result<String> {
        let mut stream = self.connect()?;
        request(&mut stream, &format!("host:transport:{serial}"))?;
        request(&mut stream, &format!("shell:{command}"))?;
        let mut bytes = Vec::new();
        stream.take(64 << 10).read_to_end(&mut bytes).context("the device stopped answering")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Makes `localhost:port` of the device this machine's.
    ///
    /// To the phone's browser the page then comes from localhost, which counts as secure.
    pub fn reverse(&self, serial: &str, port: u16) -> Result<()> {
        let mut stream = self.connect()?;
        request(&mut stream, &format!("host:transport:{serial}"))?;
        request(&mut stream, &format!("reverse:forward:tcp:{port};tcp:{port}"))?;
        // The first answer opened the service; this one is the device's.
        read_status(&mut stream).with_context(|| format!("adb reverse on {serial}"))
    }

    fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(&self.address)
            .with_context(|| format!("no adb server answers at {}", self.address))?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        Ok(stream)
    }
}

fn request(stream: &mut TcpStream, service: &str) -> Result<()> {
    stream.write_all(format!("{:04x}{service}", service.len()).as_bytes())?;
    read_status(stream).with_context(|| format!("adb refused {service}"))
}

fn read_status(stream: &mut TcpStream) -> Result<()> {
    let mut status = [0; 4];
    stream.read_exact(&mut status).context("the adb server stopped answering")?;
    match &status {
        b"OKAY" => Ok(()),
        b"FAIL" => bail!("{}", read_counted(stream)?),
        other => bail!("not an adb server: it answered {:?}", String::from_utf8_lossy(other)),
    }
}

/// A text with its length before it, so at most 64 KiB.
fn read_counted(stream: &mut TcpStream) -> Result<String> {
    let mut digits = [0; 4];
    stream.read_exact(&mut digits)?;
    let length = u16::from_str_radix(std::str::from_utf8(&digits)?, 16)
        .context("the adb server sent a length that is no number")?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

const ANSWER_LIMIT: Duration = Duration::from_secs(15);
