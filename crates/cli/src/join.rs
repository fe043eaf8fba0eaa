//! `lingualinked join`: this computer as a phone of a room.

use std::{
    io::{self, BufRead as _, Read as _},
    panic,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use gethostname::gethostname;
use native::{Invited, Joining};

#[derive(clap::Args)]
pub struct Args {
    /// The link that the first phone shows. Without it, it is read from the standard input, where other users of this
    /// computer do not see it
    link: Option<String>,
    /// What the others read; by default this computer's name
    #[arg(long)]
    name: Option<String>,
    /// How much of the GPU's memory the room may use, in GiB
    #[arg(long, value_name = "GIB", default_value_t = 4.0)]
    memory: f64,
    /// How much of models stays on this computer's disk when another is opened, in GiB
    #[arg(long, value_name = "GIB", default_value_t = 16.0)]
    keep: f64,
    /// Where this computer's certificate and pieces of models are kept; by default `lingualinked` in the user's cache
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// What the server's certificate is checked with instead of public authorities: a file with the authority's, or its
    /// fingerprint as the server's terminal shows it
    #[arg(long, value_name = "FILE|FINGERPRINT")]
    trust: Option<String>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    end_on_panic();
    let invited = Invited::read(&link(args)?)?;
    let [memory_bytes, kept_bytes] =
        [("--memory", args.memory, 1.0), ("--keep", args.keep, 0.0)].map(bytes);
    let own_name = || gethostname().to_string_lossy().into_owned();
    let folder = args.folder.clone().or_else(cache_folder);
    let Some(folder) = folder else { bail!("give a folder with --folder") };
    native::join(&Joining {
        invited,
        name: args.name.clone().unwrap_or_else(own_name),
        memory_bytes: memory_bytes?,
        kept_bytes: kept_bytes?,
        folder,
        trust: args.trust.clone(),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A line, for the link's end is a secret.
fn link(args: &Args) -> Result<String> {
    if let Some(link) = &args.link {
        return Ok(link.clone());
    }
    eprintln!("the link that the first phone shows:");
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(MOST_LINK_BYTES)
        .read_line(&mut line)
        .context("cannot read the link")?;
    Ok(line.trim().to_owned())
}

/// A number of GiB in bytes, no fewer than `least`.
fn bytes((option, gib, least): (&str, f64, f64)) -> Result<u64> {
    let bytes = gib * GIB;
    if !(least..=MOST_GIB * GIB).contains(&bytes) {
        bail!("{option} is a number of GiB, such as 4");
    }
    Ok(bytes as u64)
}

/// A part of the program that is gone would hold up the room, which goes on without the whole of it.
fn end_on_panic() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        usual(what);
        std::process::exit(PANICKED);
    }));
}

/// As the XDG base directory specification has it; macOS and others have the same below the home folder.
fn cache_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(cache.join("lingualinked"))
}

const GIB: f64 = (1u64 << 30) as f64;
/// As of a Rust program whose main thread has panicked.
const PANICKED: i32 = 101;
const MOST_LINK_BYTES: u64 = 4096;
/// More than any computer has.
const MOST_GIB: f64 = 1e6;
