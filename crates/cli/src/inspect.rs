//! `lingualinked inspect`: what a model is made of, for people, for programs and as a drawing.

mod dot;
mod json;
mod table;

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, ensure};
use graph::{GraphProfiles, Modules};
use model::{Address, ModelError, ModelFile, Parts, Place};

use crate::disk::{self, DiskFile, WANTED};

#[derive(clap::Args)]
pub struct Args {
    /// A GGUF or safetensors file, or the folder of a model; wishes may stand behind it, as in
    /// `x.gguf#q8_0,kv16,ctx8192`.
    #[arg(value_name = "FILE")]
    file: String,
    /// Tokens of the longest request, prompt and answer; 4096 unless FILE or the model says otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    context: Option<u32>,
    /// Requests that have a KV cache at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    concurrency: u32,
    /// Print all of it as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Print the operator graph for Graphviz.
    #[arg(long, conflicts_with = "json")]
    dot: bool,
}

/// A model and what follows from its sizes.
struct Inspected {
    file: ModelFile<Parts<DiskFile>>,
    modules: Modules,
    profiles: GraphProfiles,
    context_tokens: usize,
    concurrency: usize,
}

pub fn run(args: &Args) -> ExitCode {
    let printed = inspect(args).and_then(|inspected| {
        let text = match (args.json, args.dot) {
            (true, _) => json::line(&inspected)?,
            (_, true) => dot::drawing(&inspected),
            _ => table::text(&inspected),
        };
        print(&text)
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Names in a damaged file may hold anything.
            eprintln!("{}", format!("{error:#}").replace(char::is_control, " "));
            ExitCode::from(UNUSABLE)
        }
    }
}

fn inspect(args: &Args) -> Result<Inspected> {
    let address: Address = format!("{PICKED}{}", args.file)
        .parse()
        .map_err(|_| anyhow!("`{}` is no path of a model; {WANTED}", args.file))?;
    let Place::Picked { name: path, .. } = &address.place else {
        unreachable!("the line begins as that of a picked file")
    };
    let file = open(path)?.with_precision(address.precision).with_cache(address.cache);
    let most = file.config().context_tokens;
    let context_tokens = match args.context {
        Some(asked) => asked as usize,
        None => most.min(address.context_tokens.unwrap_or(CONTEXT_TOKENS) as usize),
    };
    ensure!(
        context_tokens <= most,
        "`{path}` has positions for {most} tokens, and a context of {context_tokens} is asked for; \
         ask for at most {most}"
    );
    let concurrency = args.concurrency as usize;
    let profiles = file.profiles(context_tokens, concurrency);
    let profiles = profiles.with_context(|| format!("`{path}` cannot be used"))?;
    let modules = Modules::of(file.config()).expect("the sizes were checked with the file");
    Ok(Inspected { file, modules, profiles, context_tokens, concurrency })
}

/// Reads the fronts of a model's files.
fn open(path: &str) -> Result<ModelFile<Parts<DiskFile>>> {
    let (folder, name) = disk::find(Path::new(path)).map_err(|error| match path.contains('#') {
        true => anyhow!("{error:#} (behind a `#` may be {WISHES})"),
        false => error,
    })?;
    pollster::block_on(ModelFile::find(&folder, &name)).map_err(|error| match error {
        ModelError::Unavailable(why) => anyhow!(why),
        // Where an error says what to do, it does so behind a semicolon.
        other if other.to_string().contains(';') => anyhow!("`{path}` cannot be used: {other}"),
        other => anyhow!(
            "`{path}` cannot be used: {other}; {WANTED}, whole and of a model that is supported"
        ),
    })
}

fn print(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        // Who reads the first lines only has what they want.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the output cannot be written"),
    }
}

/// How the line of a file that was picked by hand begins: its name is a path here.
const PICKED: &str = "file:::";
/// What can be wished for behind a path.
const WISHES: &str = "q8_0 or q4_0, kv16 and ctxN, with commas between them";
/// The longest request where nobody says another, as in the page.
const CONTEXT_TOKENS: u32 = 4096;
/// The file cannot be read, or is not one of a model that can be used.
const UNUSABLE: u8 = 1;
