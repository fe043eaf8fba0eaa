//! `cargo xtask demo`: one prompt, answered by several phones, each a browser process of its own.
//!
//! The phones are driven by `e2e/src/demo.ts`. It reads one JSON object from its input (see [`request`]), writes its
//! progress to stderr and the result as the last line of its output; its exit status is passed on.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::build;
use crate::progress::note;
use crate::project::Project;
use crate::server::{Server, bundled_models};
use crate::setup::{self, Need};

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
    let model = find_model(project, args.model.as_deref())?;
    setup::ensure(project, &[Need::Node, Need::E2e, Need::Chromium])?;
    build::app(project)?;
    let program = build::server(project)?;
    let folder = model.parent().context("a file has a folder")?.to_path_buf();
    let server = Server::start(project, &program, &[folder])?;
    note(&format!("the server listens on {}", server.url));
    let request = request(project, args, &model, &server)?;
    let (code, last) = drive(project, &request)?;
    if code != 0 {
        note(&format!("the demo ended with status {code}"));
        return Ok(ExitCode::from(code));
    }
    let result: Value = serde_json::from_str(&last)
        .with_context(|| format!("the driver's last line is no JSON: {last}"))?;
    if args.json {
        println!("{last}");
    } else {
        print_summary(args, &result);
    }
    Ok(ExitCode::SUCCESS)
}

/// The file to serve: the one asked for, or the bundled one.
fn find_model(project: &Project, asked: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = asked {
        if path.extension().is_none_or(|extension| extension != "gguf") || !path.is_file() {
            bail!("--model {}: not a .gguf file", path.display());
        }
        return path.canonicalize().with_context(|| format!("cannot open {}", path.display()));
    }
    let folder = bundled_models(project);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .collect();
    files.sort();
    files.into_iter().next().with_context(|| {
        format!("{} has no .gguf file; restore it from the repository", folder.display())
    })
}

/// What the driver is told. Paths are absolute; `null` leaves the page's own default.
fn request(project: &Project, args: &Args, model: &Path, server: &Server) -> Result<Value> {
    let name = model.file_name().and_then(|name| name.to_str());
    let name = name.context("the model's file name is not Unicode; rename it")?;
    let screenshots = args.screenshots.as_deref().map(std::path::absolute).transpose()?;
    if let Some(folder) = &screenshots {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    Ok(json!({
        "url": server.url,
        "access_log": server.access_log,
        "chromium": setup::chromium(project),
        "phones": args.phones,
        "prompt": args.prompt,
        "max_tokens": args.max_tokens,
        "model": name,
        "seed": args.seed,
        "temperature": args.temperature,
        "headed": args.headed,
        "screenshots": screenshots,
    }))
}

/// Runs the driver and returns its exit status and the last line of its output.
fn drive(project: &Project, request: &Value) -> Result<(u8, String)> {
    let mut command: Command = project.command("node");
    command.current_dir(project.path("e2e")).args(["--import", "tsx", "src/demo.ts"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start node for the demo")?;
    let mut stdin = child.stdin.take().context("the driver's input is a pipe")?;
    // A driver that ends early closes its input; its exit status says why.
    let _ = writeln!(stdin, "{request}");
    drop(stdin);
    let stdout = child.stdout.take().context("the driver's output is a pipe")?;
    let (sender, lines) = mpsc::sync_channel(16);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let end = Instant::now() + DRIVER_LIMIT;
    let mut last = String::new();
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => last = line,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                bail!("the phones did not answer within {} s", DRIVER_LIMIT.as_secs());
            }
        }
    }
    let status = child.wait()?;
    Ok((status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1), last))
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

const DRIVER_LIMIT: Duration = Duration::from_secs(1800);
