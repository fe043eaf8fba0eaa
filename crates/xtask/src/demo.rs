//! `cargo xtask demo`: one prompt, answered by several phones, each a browser process of its own.
//!
//! The phones and the server are started by `e2e/src/demo.ts`; its exit status is passed on.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::build::{self, Profile};
use crate::driver::drive;
use crate::e2e;
use crate::project::Project;

#[derive(clap::Args)]
pub struct Args {
    /// How many phones.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    phones: u8,
    /// What they are asked.
    #[arg(long, default_value = "Once upon a time", allow_hyphen_values = true)]
    prompt: String,
    /// The longest answer.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// Another GGUF file than the bundled one.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Makes an answer with a temperature repeatable.
    #[arg(long)]
    seed: Option<u32>,
    /// 0 always takes the likeliest token.
    #[arg(long, value_parser = temperature)]
    temperature: Option<f64>,
    /// Show the browsers.
    #[arg(long)]
    headed: bool,
    /// Where to put pictures of the phones.
    #[arg(long, value_name = "DIR")]
    screenshots: Option<PathBuf>,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let options = options(args)?;
    e2e::ensure(project)?;
    build::app(project)?;
    let server = build::server(project, Profile::Release)?;
    let mut command = project.command("node");
    command.args(["--import", "tsx", "src/demo.ts"]);
    e2e::describe(project, &server, &mut command);
    let (code, last) = drive(command, &options, "demo", LIMIT)?;
    let Ok(result) = serde_json::from_str::<Value>(&last) else {
        if code == 0 {
            bail!("the demo's last line is no JSON: {last}");
        }
        return Ok(ExitCode::from(code));
    };
    if args.json {
        println!("{last}");
    } else {
        print_summary(args, &result);
    }
    Ok(ExitCode::from(code))
}

/// What the driver is told; what is left out has the driver's default.
fn options(args: &Args) -> Result<Value> {
    let mut options = Map::new();
    options.insert("phones".into(), json!(args.phones));
    options.insert("prompt".into(), json!(args.prompt));
    options.insert("maxTokens".into(), json!(args.max_tokens));
    options.insert("headed".into(), json!(args.headed));
    if let Some(path) = &args.model {
        options.insert("model".into(), json!(model_file(path)?));
    }
    if let Some(folder) = &args.screenshots {
        options.insert("screenshots".into(), json!(std::path::absolute(folder)?));
    }
    if let Some(seed) = args.seed {
        options.insert("seed".into(), json!(seed));
    }
    if let Some(temperature) = args.temperature {
        options.insert("temperature".into(), json!(temperature));
    }
    Ok(Value::Object(options))
}

/// The driver runs in another folder, so it gets the whole path.
fn model_file(path: &Path) -> Result<PathBuf> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start))
        .with_context(|| format!("--model {}: the file cannot be read", path.display()))?;
    if start != MAGIC {
        bail!("--model {}: this is no GGUF file; name one, or convert the model", path.display());
    }
    path.canonicalize().with_context(|| format!("cannot open {}", path.display()))
}

fn print_summary(args: &Args, result: &Value) {
    println!("{}{}", args.prompt, result["text"].as_str().unwrap_or_default());
    println!();
    for stage in result["plan"].as_array().into_iter().flatten() {
        let megabytes = stage["weights_bytes"].as_f64().unwrap_or_default() / 1e6;
        println!(
            "phone {}: modules {}..{}, {megabytes:.2} MB of weights",
            stage["peer"].as_str().unwrap_or("?"),
            stage["start"],
            stage["end"],
        );
    }
    println!(
        "{} phones, {} tokens at {} per second, the first after {} s; {}, {} bytes of activations through the server",
        result["phones"],
        result["completion_tokens"],
        rounded(&result["decode_tokens_per_sec"]),
        rounded(&result["ttft_secs"]),
        match result["matches_single_device"].as_bool() {
            Some(true) => "the same tokens as on one device",
            Some(false) => "NOT the tokens of one device",
            None => "not compared with one device",
        },
        result["activation_bytes_through_server"],
    );
}

fn rounded(value: &Value) -> String {
    value.as_f64().map_or_else(|| "?".to_owned(), |number| format!("{number:.2}"))
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=10.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0 to 10".to_owned()),
    }
}

/// What every GGUF file starts with.
const MAGIC: &[u8] = b"GGUF";
const LIMIT: Duration = Duration::from_secs(1800);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_what_is_in_it() {
        let folder = std::env::temp_dir().join(format!("xtask-models-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let is_taken = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.join(name), bytes).unwrap();
            model_file(&folder.join(name)).is_ok()
        };
        assert!(is_taken("blob", b"GGUF\x03"));
        assert!(!is_taken("text.gguf", b"version https"));
        assert!(!is_taken("short.gguf", b"GGU"));
        assert!(model_file(&folder.join("none.gguf")).is_err());
        assert!(model_file(&folder).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
