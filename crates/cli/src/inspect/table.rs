//! A model in words and columns.

use base::Residual;
use graph::{ModelConfig, SharedTensor};

use super::{Inspected, json::Total};

/// All that there is to say.
pub fn text(inspected: &Inspected) -> String {
    let mut lines = about(inspected);
    lines.push(String::new());
    lines.extend(columns(&rows(inspected)));
    lines.push(String::new());
    lines.extend(REMARKS.map(str::to_owned));
    lines.push(String::new());
    lines.extend(past_modules(inspected));
    lines.extend(shared(inspected));
    lines.join("\n") + "\n"
}

fn about(inspected: &Inspected) -> Vec<String> {
    let Inspected { file, context_tokens, concurrency, .. } = inspected;
    let name = printable(file.name());
    let ModelConfig { architecture, layers, hidden, ffn, heads, kv_heads, head_dim, vocab, .. } =
        file.config();
    let layers = match file.config().encoder {
        Some(encoder) => format!("{} layers of an encoder and {layers} behind it", encoder.layers),
        None => format!("{layers} layers"),
    };
    let (architecture, bytes) = (architecture.name(), scaled(file.bytes() as f64));
    let requests = if *concurrency == 1 { "1 request" } else { &format!("{concurrency} requests") };
    let value_bits = 8 * file.cache_type().bytes();
    let mut lines = vec![
        format!("{name}: {architecture}, {bytes}B"),
        format!("{layers}, of width {hidden}, feed-forward width {ffn}, {vocab} tokens"),
        format!("heads of width {head_dim}: {heads} for queries, {kv_heads} for keys and values"),
        format!(
            "room for {requests} of {context_tokens} tokens (the model's most is {}); \
             keys and values of {value_bits} bits",
            file.config().context_tokens
        ),
    ];
    lines.extend(labels(&file.config().labels));
    lines
}

/// What a classifier tells texts apart by.
fn labels(labels: &[String]) -> Option<String> {
    let shown = labels.iter().take(MOST_NAMES).map(|label| printable(label));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match labels.len() {
        0 => None,
        count if count > MOST_NAMES => {
            Some(format!("tells texts apart by {count} labels: {shown} .."))
        }
        count => Some(format!("tells texts apart by {count} labels: {shown}")),
    }
}

/// Names in a file may hold anything.
fn printable(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).collect()
}

/// The table, head and totals with it.
fn rows(inspected: &Inspected) -> Vec<Vec<String>> {
    let profiles = &inspected.profiles;
    let mut rows = vec![HEAD.map(str::to_owned).to_vec(), UNITS.map(str::to_owned).to_vec()];
    for (number, module) in profiles.summary.iter().enumerate() {
        let next = profiles.sequential_bytes.get(number);
        rows.push(vec![
            number.to_string(),
            module.name.clone(),
            scaled(module.decode_flops_per_token),
            scaled(module.prefill_flops_per_token),
            bytes(module.weight_bytes as f64),
            bytes(module.kv_bytes_per_token as f64),
            bytes(module.output_bytes as f64),
            next.map_or("-".into(), |&sent| bytes(sent)),
        ]);
    }
    let total = Total::of(inspected);
    rows.push(vec![
        String::new(),
        "all".into(),
        scaled(total.decode_flops_per_token),
        scaled(total.prefill_flops_per_token),
        bytes(total.weights_bytes),
        bytes(total.kv_bytes_per_token as f64),
        String::new(),
        String::new(),
    ]);
    rows
}

/// Names to the left, numbers to the right.
fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells =
            row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                1 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The residual dependency map, and what caches take.
fn past_modules(inspected: &Inspected) -> Vec<String> {
    let profiles = &inspected.profiles;
    let mut lines = vec![format!("KV caches: {}", bytes(Total::of(inspected).kv_bytes))];
    if profiles.residual.is_empty() {
        lines.push("sent past a module: nothing".into());
    }
    for Residual { from, to, bytes: sent } in &profiles.residual {
        let (from, to) = (&profiles.modules[*from].name, named(inspected, to));
        lines.push(format!("sent past a module: {} from {from} to {to}", bytes(*sent)));
    }
    lines
}

/// Tensors that several modules read.
fn shared(inspected: &Inspected) -> Vec<String> {
    let shared = &inspected.profiles.shared;
    if shared.is_empty() {
        return vec!["tied: nothing".into()];
    }
    let line = |tensor: &SharedTensor| {
        let modules = named(inspected, &tensor.modules);
        let place = match tensor.resident.len() == tensor.modules.len() {
            true => "once on a device".to_owned(),
            false => {
                let resident = named(inspected, &tensor.resident);
                format!("on the device of {resident}; otherwise rows are read from the file")
            }
        };
        let size = bytes(tensor.bytes as f64);
        format!("tied: {} of {modules}, {size} {place}", tensor.name)
    };
    shared.iter().map(line).collect()
}

fn named(inspected: &Inspected, modules: &[usize]) -> String {
    let names: Vec<&str> =
        modules.iter().map(|&module| inspected.profiles.modules[module].name.as_str()).collect();
    match &names[..] {
        [first, second, .., last] if names.len() > MOST_NAMES => {
            format!("{first}, {second} .. {last} ({} modules)", names.len())
        }
        all => all.join(", "),
    }
}

fn bytes(value: f64) -> String {
    format!("{}B", scaled(value))
}

/// Three digits and a power of a thousand.
fn scaled(mut value: f64) -> String {
    let mut powers = [" ", " k", " M", " G", " T"].into_iter();
    let mut power = powers.next().unwrap_or_default();
    while value >= 999.5
        && let Some(next) = powers.next()
    {
        (value, power) = (value / 1000.0, next);
    }
    let digits = match value {
        _ if value.fract() == 0.0 && power == " " => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{power}")
}

const HEAD: [&str; 8] =
    ["", "module", "decode", "prefill", "weights", "KV cache", "output", "to next"];
const UNITS: [&str; 8] =
    ["", "", "FLOPs/token", "FLOPs/token", "bytes", "bytes/token", "bytes/token", "bytes/token"];
const REMARKS: [&str; 3] = [
    "decode: for a token of an answer, on average over the context",
    "prefill: for a token of a prompt that fills the context; its last token alone runs the last module",
    "weights: on a device that runs the module; tables that rows are looked up in stay in the file",
];
/// Longer lists show their ends.
const MOST_NAMES: usize = 4;
