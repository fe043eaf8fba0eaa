//! `lingualinked inspect` as people call it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use graph::Modules;
use model::{MemorySource, ModelFile};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{ENCODER_DECODERS, Files, MODELS, corrupt, folder, golden, split};

fn program(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lingualinked"));
    command.args(args).output().expect("the program runs")
}

fn inspect(path: &Path, more: &[&str]) -> Output {
    let path = path.to_str().expect("tests use plain names");
    program(&[&["inspect", path], more].concat())
}

fn output_of(path: &Path, more: &[&str]) -> String {
    let output = inspect(path, more);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}: {error}", path.display());
    String::from_utf8(output.stdout).expect("text")
}

fn answer(path: &Path, more: &[&str]) -> Value {
    let text = output_of(path, &[&["--json"], more].concat());
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

/// Asserts that there is a refusal in one sentence, and returns it.
fn refusal(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(output.stdout.is_empty());
    text
}

fn bundled() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/stories/stories-q8_0.gguf")
}

/// A file in a folder of its own.
fn written(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("it takes files");
    (folder, path)
}

fn all_written(files: Files) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("it takes files");
    }
    folder
}

/// `embed`, `attn.0`, `mlp.0` and so on, `head`.
fn decoder_names(layers: usize) -> Vec<String> {
    let layer = |layer| [format!("attn.{layer}"), format!("mlp.{layer}")];
    let ends = |name: &str| [name.to_owned()];
    ends("embed").into_iter().chain((0..layers).flat_map(layer)).chain(ends("head")).collect()
}

fn names(answer: &Value) -> Vec<&str> {
    let modules = answer["modules"].as_array().expect("a list");
    modules.iter().map(|module| module["name"].as_str().expect("a name")).collect()
}

fn sum(answer: &Value, field: &str) -> f64 {
    let modules = answer["modules"].as_array().expect("a list");
    modules.iter().map(|module| module[field].as_f64().expect("a number")).sum()
}

#[test]
fn every_architecture_has_two_modules_a_layer_and_two_more() {
    for name in MODELS {
        let (_folder, path) = written("x.gguf", golden(name).gguf);
        let answer = answer(&path, &[]);
        let layers = answer["model"]["layers"].as_u64().expect("a count") as usize;
        assert_eq!(names(&answer), decoder_names(layers), "{name}");
        let hidden = answer["model"]["hidden"].as_u64().expect("a width");
        assert_eq!(answer["sequential_bytes"], json!(vec![4.0 * hidden as f64; 2 * layers + 1]));
        assert_eq!(answer["residual"], json!([]));
        assert_eq!(answer["model"]["file_bytes"], json!(golden(name).gguf.len()));
    }
}

/// Three layers in the encoder and two in the decoder, heads of 4 x 32.
#[test]
fn an_encoders_output_goes_to_every_module_that_attends_to_it() {
    for name in ENCODER_DECODERS {
        let (_folder, path) = written("x.gguf", golden(name).gguf);
        let told = answer(&path, &[]);
        let encoder =
            (0..3).flat_map(|layer| ["attn", "mlp"].map(|part| format!("encoder_{part}.{layer}")));
        let decoder =
            (0..2).flat_map(|layer| ["attn", "cross", "mlp"].map(|part| format!("{part}.{layer}")));
        let ends = |name: &str| [name.to_owned()];
        let expected = ends("embed").into_iter().chain(encoder).chain(ends("decoder_embed"));
        let expected: Vec<_> = expected.chain(decoder).chain(ends("head")).collect();
        assert_eq!(names(&told), expected, "{name}");
        assert_eq!(told["residual"], json!([{"from": 6, "to": [9, 12], "bytes": 256.0}]), "{name}");
        assert_eq!(told["token_to"], json!(7), "an answer's tokens do not go through the encoder");
        assert_eq!(
            told["sequential_bytes"][6],
            json!(0.0),
            "the decoder begins with its own tokens"
        );
        assert_eq!(told["model"]["encoder"], json!({"layers": 3, "first_token": 285}));
        for (number, module) in told["modules"].as_array().expect("a list").iter().enumerate() {
            let keeps = [8, 9, 11, 12].contains(&number);
            assert_eq!(module["kv_bytes_per_token"], json!(if keeps { 2 * 128 * 4 } else { 0 }));
            let is_decoder = number > 6;
            assert_eq!(
                module["decode_flops_per_token"].as_f64() > Some(0.0),
                is_decoder,
                "{module}"
            );
        }
        let text = output_of(&path, &[]);
        assert!(
            text.contains("sent past a module: 256 B from encoder_mlp.2 to cross.0, cross.1"),
            "{text}"
        );
        assert!(text.contains("3 layers of an encoder and 2 behind it, of width 64"), "{text}");
        check_syntax(&output_of(&path, &["--dot"]));
    }
}

#[test]
fn modules_have_their_figures() {
    let answer = answer(&bundled(), &["--concurrency", "2"]);
    assert_eq!(names(&answer), decoder_names(6));
    // Norms of 160 and, over heads of 32, two more; 224 + 160 rows of 160 columns, in 9 bits.
    let weights = 4 * (160 + 2 * 32) + (224 + 160) * 160 * 9 / 8;
    let attention = &answer["modules"][1];
    assert_eq!(attention["weights_bytes"], json!(f64::from(weights)));
    assert_eq!(attention["kv_bytes_per_token"], json!(2 * 32 * 4));
    assert_eq!(attention["kv_bytes"], json!(f64::from(2 * 32 * 4 * 512 * 2)));
    assert_eq!(attention["output_bytes_per_token"], json!(160 * 4));
    assert_eq!(attention["flops"], attention["decode_flops_per_token"]);
    let head = &answer["modules"][13];
    assert_eq!(head["decode_flops_per_token"], json!(f64::from(4 * 160 + 2 * 160 * 2048)));
    let prefill = head["prefill_flops_per_token"].as_f64().expect("a number");
    assert_eq!(512.0 * prefill, f64::from(4 * 160 + 2 * 160 * 2048));
    assert_eq!(answer["shared_tensors"][0]["modules"], json!([0, 13]));
    assert_eq!(answer["shared_tensors"][0]["resident"], json!([13]));
    for field in ["decode_flops_per_token", "weights_bytes", "kv_bytes", "kv_bytes_per_token"] {
        assert_eq!(answer["total"][field].as_f64(), Some(sum(&answer, field)), "{field}");
    }
}

#[test]
fn the_wishes_behind_a_path_hold() {
    let whole = |name: &str, wishes: &str| {
        let (folder, path) = written("x.gguf", golden(name).gguf);
        let path = format!("{}{wishes}", path.display());
        (folder, answer(Path::new(&path), &[]))
    };
    let (_folder, floats) = whole("qwen3-f32", "");
    let (_folder, bytes) = whole("qwen3-f32", "#q8_0,kv16,ctx64");
    let (_folder, stored) = whole("qwen3-q8_0", "");
    assert_eq!(bytes["total"]["weights_bytes"], stored["total"]["weights_bytes"]);
    assert!(sum(&bytes, "weights_bytes") < 0.4 * sum(&floats, "weights_bytes"));
    assert_eq!(sum(&floats, "kv_bytes_per_token"), 2.0 * sum(&bytes, "kv_bytes_per_token"));
    assert_eq!((&floats["context_tokens"], &bytes["context_tokens"]), (&json!(256), &json!(64)));
}

#[test]
fn the_planner_takes_what_is_told() {
    let told = answer(&bundled(), &[]);
    let mut instance = json!({
        "objective": "latency",
        "devices": [
            {"id": "a", "flops_per_sec": 1e9, "memory_bytes": 2e6},
            {"id": "b", "flops_per_sec": 2e9, "memory_bytes": 2e6}
        ],
        "rtt_secs": [[0, 0.01], [0.01, 0]],
        "bytes_per_sec": [[0, 1e6], [1e6, 0]],
        "token_bytes": 4
    });
    for field in ["modules", "sequential_bytes", "residual", "token_to", "tied"] {
        instance[field] = told[field].clone();
    }
    let (_folder, path) = written("instance.json", instance.to_string().as_bytes());
    let path = path.to_str().expect("a plain name");
    let output = program(&["plan", "--input", path, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let plan: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    let stages = plan["stages"].as_array().expect("a list");
    assert_eq!(stages.len(), 2, "3 MB do not fit on one: {plan}");
    assert_eq!(stages[1]["end"], json!(14));
}

#[test]
fn a_model_may_be_a_folder_or_a_file_in_it() {
    for name in ["llama-f32", "qwen3-f16", "gemma3-q8_0"] {
        let folder = all_written(folder(name));
        let whole = answer(folder.path(), &[]);
        assert_eq!(names(&whole).len(), if name == "gemma3-q8_0" { 14 } else { 10 });
        let is_weights = |path: &PathBuf| path.extension().is_some_and(|end| end == "safetensors");
        let entries = fs::read_dir(folder.path()).expect("it was just written");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let path = paths.filter(is_weights).max().expect("weights");
        // Texts are not looked at.
        fs::remove_file(folder.path().join("tokenizer.json")).expect("it was there");
        assert_eq!(answer(&path, &[]), whole, "{name}");
    }
    let parts = all_written(split());
    let (_folder, path) = written("x.gguf", golden("qwen3-q8_0").gguf);
    assert_eq!(answer(parts.path(), &[])["modules"], answer(&path, &[])["modules"]);
}

#[test]
fn damaged_files_are_refused_in_one_sentence() {
    let sound = golden("llama-q8_0").gguf;
    let (_folder, path) = written("x.gguf", sound);
    for case in corrupt::cases(sound) {
        fs::write(&path, &case.bytes).expect("it was written before");
        if case.name.starts_with("tokenizer/") {
            continue;
        }
        let text = refusal(&inspect(&path, &[]));
        assert!(text.contains(';') && text.contains("x.gguf"), "{}: {text}", case.name);
    }
}

#[test]
fn what_is_no_model_is_refused_in_one_sentence() {
    let (empty, path) = written("config.json", br#"{"model_type": "llama"}"#);
    assert!(refusal(&inspect(&path, &[])).contains("not a GGUF file"));
    assert!(refusal(&inspect(empty.path(), &[])).contains("has no model in it"));
    assert!(refusal(&inspect(&empty.path().join("x.gguf"), &[])).contains("x.gguf"));
    let wish = format!("{}#q5_0", bundled().display());
    assert!(refusal(&inspect(Path::new(&wish), &[])).contains("q8_0 or q4_0"));
    assert!(refusal(&inspect(&bundled(), &["--context", "513"])).contains("at most 512"));

    let folder = all_written(folder("llama-f32"));
    let weights = folder.path().join("model.safetensors");
    let bytes = fs::read(&weights).expect("it was just written");
    fs::write(&weights, &bytes[..bytes.len() / 2]).expect("it is still there");
    assert!(refusal(&inspect(folder.path(), &[])).contains("model.safetensors"));
    fs::remove_file(folder.path().join("config.json")).expect("it was there");
    assert!(refusal(&inspect(folder.path(), &[])).contains("config.json"));
    fs::write(folder.path().join("x.gguf"), b"").expect("a file");
    fs::rename(&weights, folder.path().join("y.safetensors")).expect("it is still there");
    assert!(refusal(&inspect(folder.path(), &[])).contains("2 models"));
}

#[test]
fn the_drawing_has_every_operator_once() {
    for name in MODELS {
        let bytes = golden(name).gguf;
        let (_folder, path) = written("x.gguf", bytes);
        let drawing = output_of(&path, &["--dot"]);
        let source = MemorySource(bytes.to_vec());
        let file = pollster::block_on(ModelFile::open(source)).expect("the file is sound");
        let modules = Modules::of(file.config()).expect("the file is sound");
        for node in &modules.graph.nodes {
            let label = format!("[label=\"{}\\n", node.name);
            assert_eq!(drawing.matches(&label).count(), 1, "{name}: {}", node.name);
        }
        let boxes = drawing.matches("subgraph cluster_").count();
        assert_eq!(boxes, modules.list.len(), "{name}");
        let arrows = modules.graph.nodes.iter().map(|node| node.inputs.len()).sum::<usize>();
        assert_eq!(drawing.matches(" -> ").count(), arrows, "{name}");
        // Each half of a layer, and the head, reads the hidden state; halves also add to it.
        let crossing = drawing.matches("penwidth=3").count();
        assert_eq!(crossing, 2 * (modules.list.len() - 2) + 1, "{name}");
        check_syntax(&drawing);
    }
}

/// Brackets and quotation marks are balanced, and arrows go between boxes that are there.
fn check_syntax(drawing: &str) {
    let (mut open, mut is_quoted, mut letters) = (Vec::new(), false, drawing.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => {
                letters.next().expect("a letter behind each backslash");
            }
            _ if is_quoted => {}
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => assert_eq!(open.pop(), Some(letter)),
            _ => {}
        }
    }
    assert!(open.is_empty() && !is_quoted);
    let lines = drawing.lines().map(str::trim);
    let boxes: BTreeSet<&str> =
        lines.clone().filter_map(|line| line.split_once(" [label=")).map(|(id, _)| id).collect();
    let arrows = lines.filter_map(|line| line.split_once(" [")?.0.split_once(" -> "));
    for (from, to) in arrows {
        assert!(boxes.contains(from) && boxes.contains(to), "{from} -> {to}");
    }
}

#[test]
fn people_get_a_table() {
    let text = output_of(&bundled(), &[]);
    for part in ["Stories 2M: qwen3, 2.19 MB", "mlp.5", "all", "sent past a module: nothing"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("tied: token_embd.weight of embed, head"), "{text}");
}

#[test]
fn wrong_calls_have_a_status_of_their_own() {
    let path = bundled();
    let path = path.to_str().expect("a plain name");
    for args in [
        &["inspect"][..],
        &["inspect", path, "--json", "--dot"],
        &["inspect", path, "--context", "0"],
        &["inspect", path, "--concurrency", "many"],
    ] {
        assert_eq!(program(args).status.code(), Some(64), "{args:?}");
    }
}

#[test]
fn a_classifier_has_labels_and_a_row_of_the_head_for_each() {
    let folder = all_written(folder("llama-classifier"));
    let answer = answer(folder.path(), &[]);
    assert_eq!(answer["model"]["labels"], json!(["glad", "so-so", "sad"]));
    assert_eq!(names(&answer), decoder_names(2));
    let head = answer["modules"].as_array().expect("a list").last().expect("a head");
    assert_eq!(head["weight_elements"], json!(64 + 3 * 64));
    let text = output_of(folder.path(), &[]);
    assert!(text.contains("tells texts apart by 3 labels: glad, so-so, sad"), "{text}");
}
