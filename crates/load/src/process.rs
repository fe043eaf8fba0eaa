//! What Linux says of a process, and how many files it may open.

use std::fs;

use rustix::{
    param::clock_ticks_per_second,
    process::{Resource, getrlimit, setrlimit},
};

use crate::Error;

/// What a process has taken until now.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Seconds of a processor, of all its threads.
    pub(crate) cpu_secs: f64,
    pub(crate) rss_bytes: u64,
    pub(crate) peak_rss_bytes: u64,
}

impl Usage {
    /// Of a process by its id; nothing where there is no `/proc`.
    pub(crate) fn of(process: u32) -> Option<Self> {
        Self::at(&process.to_string())
    }

    /// Of this process.
    pub(crate) fn own() -> Option<Self> {
        Self::at("self")
    }

    fn at(process: &str) -> Option<Self> {
        let read = |file| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
        let (stat, status) = (read("stat")?, read("status")?);
        Some(Self {
            cpu_secs: cpu_ticks(&stat)? as f64 / clock_ticks_per_second() as f64,
            rss_bytes: bytes(&status, "VmRSS:")?,
            peak_rss_bytes: bytes(&status, "VmHWM:")?,
        })
    }
}

/// `utime` and `stime` of `proc_pid_stat(5)`. The program's name stands before them, and may have spaces in it.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_whitespace().skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Lets this process, and the server that it will start, open as many files as the system allows.
///
/// # Errors
/// [`Error::Files`] where that is not enough for so many sockets.
pub(crate) fn allow_open_files(sockets: u32) -> Result<(), Error> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it is refused, what was allowed before may do.
    let _ = setrlimit(Resource::Nofile, limit);
    let needed = u64::from(sockets) + OTHER_FILES;
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => Err(Error::Files { needed, allowed }),
        _ => Ok(()),
    }
}

/// Libraries, the log, the runtime.
const OTHER_FILES: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 120 34 0 0 20 0 3 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(154));
        assert_eq!(bytes("VmHWM:\t   12 kB\nVmRSS:\t  3 kB\n", "VmRSS:"), Some(3072));
        assert_eq!((cpu_ticks("7 (a) S 1"), bytes("VmRSS: 3", "VmRSS:")), (None, None));
    }
}
