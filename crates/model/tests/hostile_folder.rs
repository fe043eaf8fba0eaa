//! Damaged and hostile safetensors and settings give typed errors, never a panic.

use model::{MemoryFolder, ModelError, ModelFile};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::folder;

const WEIGHTS: &str = "model.safetensors";
const SHARDS: &str = "model.safetensors.index.json";
const NORM: &str = "model.norm.weight";

fn sound(name: &str) -> MemoryFolder {
    let files = folder(name).iter();
    MemoryFolder(files.map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect())
}

fn open(folder: &MemoryFolder, name: &str) -> Result<(), ModelError> {
    pollster::block_on(ModelFile::find(folder, name)).map(drop)
}

/// What is said of the folder once one of its JSON files, or the header of its weights, is changed.
fn complaint(folder: &str, file: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut changed = sound(folder);
    let bytes = changed.0.get_mut(file).expect("the folder has the file");
    let (front, back) = if file == WEIGHTS {
        let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        (bytes[8..8 + length].to_vec(), bytes[8 + length..].to_vec())
    } else {
        (bytes.clone(), Vec::new())
    };
    let mut json = serde_json::from_slice(&front).expect("it is JSON");
    change(&mut json);
    let front = json.to_string().into_bytes();
    let length = (front.len() as u64).to_le_bytes();
    *bytes = if file == WEIGHTS { [&length[..], &front, &back].concat() } else { front };
    let name = if changed.0.contains_key(SHARDS) { SHARDS } else { WEIGHTS };
    open(&changed, name).expect_err("the folder is damaged").to_string()
}

#[test]
fn a_header_that_is_not_the_data_is_refused() {
    type Spoil = fn(&mut Value);
    let cases: [(Spoil, &str); 11] = [
        (|h| h[NORM]["dtype"] = json!("F8_E4M3"), "F32, F16 and BF16 can be read"),
        (|h| h[NORM]["dtype"] = json!("F16"), "are not a tensor of the shape"),
        (|h| h[NORM]["shape"] = json!([63]), "are not a tensor of the shape"),
        (|h| h[NORM]["shape"] = json!([]), "0 dimensions"),
        (|h| h[NORM]["shape"] = json!([u64::MAX, u64::MAX]), "are not a tensor of the shape"),
        (|h| h[NORM]["data_offsets"] = json!([256, 0]), "are not a tensor of the shape"),
        (|h| h[NORM]["data_offsets"] = json!([0, 256]), "overlaps"),
        (|h| h[NORM]["data_offsets"] = json!([1_000_000, 1_000_256]), "ends behind"),
        (|h| h[NORM] = json!(7), "invalid type"),
        (|h| h["model.vision.weight"] = h[NORM].clone(), "is not one that this engine knows"),
        (
            |h| drop(h.as_object_mut().expect("a map").remove(NORM)),
            "`output_norm.weight`: is missing",
        ),
    ];
    for (spoil, expected) in cases {
        let error = complaint("llama-f32", WEIGHTS, spoil);
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}

#[test]
fn settings_that_cannot_be_run_are_refused() {
    type Spoil = fn(&mut Value);
    let cases: [(Spoil, &str); 15] = [
        (|c| c["model_type"] = json!("gpt_bigcode"), "`gpt_bigcode` is not supported"),
        (|c| c["hidden_act"] = json!("gelu"), "hidden_act"),
        (|c| c["rope_parameters"] = json!({"rope_type": "yarn"}), "`yarn` is not supported"),
        (|c| c["hidden_size"] = json!(0), "hidden is 0"),
        (|c| c["hidden_size"] = json!(96), "has the shape"),
        (|c| c["num_attention_heads"] = json!(-4), "`num_attention_heads`: is not a count"),
        (|c| c["model_type"] = json!("gemma3"), "gemma3_text is"),
        (|c| c["layer_types"] = json!(["sliding_attention"]), "only full_attention is supported"),
        (|c| c["tie_word_embeddings"] = json!("yes"), "is not true or false"),
        (|c| c["rope_parameters"] = json!([]), "`rope_parameters`: is not an object"),
        (
            |c| c["rope_parameters"] = json!({"rope_type": "llama3", "factor": 8}),
            "`rope_parameters.low_freq_factor`: is missing",
        ),
        (
            |c| c["rope_parameters"] = json!({"rope_type": "linear", "factor": 0}),
            "rope.factor is 0",
        ),
        (|c| c["num_hidden_layers"] = json!(5), "`blk.4.attn_norm.weight`: is missing"),
        (|c| c["num_hidden_layers"] = json!(3), "is not one that this architecture"),
        (|c| drop(c.as_object_mut().expect("a map").remove("vocab_size")), "vocab_size"),
    ];
    for (spoil, expected) in cases {
        let error = complaint("llama-f32", "config.json", spoil);
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}

#[test]
fn settings_of_an_encoder_that_cannot_be_run_are_refused() {
    type Spoil = fn(&mut Value);
    let cases: [(Spoil, &str); 13] = [
        (|c| c["num_layers"] = json!(0), "encoder.layers is 0"),
        (|c| c["num_layers"] = json!(4), "`enc.blk.3.attn_norm.weight`: is missing"),
        (|c| c["num_decoder_layers"] = json!(u64::MAX), "layers is"),
        (|c| c["num_decoder_layers"] = json!(1), "is not one that this architecture"),
        (|c| c["decoder_start_token_id"] = json!(288), "encoder.first_token + 1 is 289"),
        (|c| c["decoder_start_token_id"] = json!(u64::MAX), "is not a token"),
        (|c| c["relative_attention_num_buckets"] = json!(8), "`enc.blk.0.attn_rel_b.weight`"),
        (|c| c["relative_attention_num_buckets"] = json!(1 << 20), "relative.buckets is"),
        (|c| c["relative_attention_max_distance"] = json!(1u64 << 40), "relative.max_distance is"),
        (|c| c["relative_attention_max_distance"] = json!(8), "relative.max_distance does not fit"),
        (|c| c["feed_forward_proj"] = json!("gated-silu"), "`gated-silu` is not supported"),
        (
            |c| c["feed_forward_proj"] = json!("gated-gelu"),
            "`enc.blk.0.ffn_gate.weight`: is missing",
        ),
        (|c| c["d_kv"] = json!(20), "heads * head_dim is 80"),
    ];
    for (spoil, expected) in cases {
        let error = complaint("t5-f32", "config.json", spoil);
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}

#[test]
fn an_index_that_is_not_that_of_the_files_is_refused() {
    type Spoil = fn(&mut serde_json::Map<String, Value>);
    let cases: [(Spoil, &str); 4] = [
        (|map| drop(map.remove(NORM)), "against the index"),
        (
            |map| drop(map.insert("lm_head.weight".into(), map[NORM].clone())),
            "is in none of the files",
        ),
        (|map| drop(map.insert(NORM.into(), json!("../secret.safetensors"))), "files elsewhere"),
        (|map| map.clear(), "names no files"),
    ];
    for (spoil, expected) in cases {
        let spoil = |index: &mut Value| spoil(index["weight_map"].as_object_mut().expect("a map"));
        let error = complaint("qwen3-f16", SHARDS, spoil);
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}

#[test]
fn a_file_that_ends_too_early_is_refused() {
    let sound = sound("llama-f32");
    let weights = sound.0[WEIGHTS].len();
    for length in [0, 7, 8, 100, 4000, weights - 1] {
        let mut cut = sound.clone();
        cut.0.get_mut(WEIGHTS).expect("it has weights").truncate(length);
        assert!(open(&cut, WEIGHTS).is_err(), "{length} bytes");
    }
    for name in sound.0.keys() {
        let mut incomplete = sound.clone();
        incomplete.0.remove(name);
        let error = open(&incomplete, WEIGHTS).expect_err("a file is missing").to_string();
        assert!(error.contains(name.as_str()), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_weights_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut folder = sound("llama-f32");
        folder.0.insert(WEIGHTS.into(), bytes);
        prop_assert!(open(&folder, WEIGHTS).is_err());
    }

    #[test]
    fn a_changed_header_never_panics(at in 0usize..4000, byte: u8) {
        let mut folder = sound("llama-f32");
        folder.0.get_mut(WEIGHTS).expect("it has weights")[at] = byte;
        // Most changes are refused; one of a space is not.
        let _ = open(&folder, WEIGHTS);
    }
}
