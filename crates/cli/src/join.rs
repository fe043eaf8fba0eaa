//! `lingualinked join`: this computer as a phone of a room.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use gethostname::gethostname;
use native::{Invited, Joining};

#[derive(clap::Args)]
pub struct Args {
    /// The link that the first phone shows
    link: String,
    /// What the others read; by default this computer's name
    #[arg(long)]
    name: Option<String>,
    /// How much of the GPU's memory the room may use, in GiB
    #[arg(long, value_name = "GIB", default_value_t = 4.0)]
    memory: f64,
    /// Where this computer's certificate and pieces of models are kept; by default `lingualinked` in the user's cache
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// What the server's certificate is checked with beside public authorities: a file with the authority's, or its
    /// fingerprint as the server's terminal shows it
    #[arg(long, value_name = "FILE|FINGERPRINT")]
    trust: Option<String>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let invited = Invited::read(&args.link)?;
    let memory_bytes = args.memory * GIB;
    if !(1.0..=MOST_GIB * GIB).contains(&memory_bytes) {
        bail!("--memory is a number of GiB, such as 4");
    }
    let own_name = || gethostname().to_string_lossy().into_owned();
    let folder = args.folder.clone().or_else(cache_folder);
    let Some(folder) = folder else { bail!("give a folder with --folder") };
    native::join(&Joining {
        invited,
        name: args.name.clone().unwrap_or_else(own_name),
        memory_bytes: memory_bytes as u64,
        folder,
        trust: args.trust.clone(),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// As the XDG base directory specification has it; macOS and others have the same below the home folder.
fn cache_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(cache.join("lingualinked"))
}

const GIB: f64 = (1u64 << 30) as f64;
/// More than any computer has.
const MOST_GIB: f64 = 1e6;
