//! Files whose hyper-parameters or tokenizer make no sense.

use super::{Edit, Edits};
use crate::image::{Image, KIND_STRING, KIND_U32, string};

pub(super) fn edits(image: &Image) -> Vec<Edit> {
    let mut edits = config(image);
    edits.extend(tokenizer(image));
    edits
}

fn config(image: &Image) -> Vec<Edit> {
    let architecture = architecture(image);
    let mut edits = Edits::new(image, "config");
    let key = |name: &str| match name {
        "general.architecture" => name.to_owned(),
        name => format!("{architecture}.{name}"),
    };
    edits.edit("architecture_unknown", &["general.architecture"], |i| {
        set_text(i, "general.architecture", "nonesuch")
    });
    let has = |name: &&str| image.entries.iter().any(|entry| entry.key == key(name).as_bytes());
    for name in REQUIRED.iter().copied().filter(has) {
        edits.edit(format!("{name}_missing"), &[&key(name)], |i| {
            i.entries.retain(|entry| entry.key != key(name).as_bytes());
        });
        edits.edit(format!("{name}_of_another_type"), &[&key(name)], |i| {
            change_type(i, &key(name));
        });
    }
    for &(name, size, values) in COUNTS.iter().filter(|(name, ..)| has(name)) {
        for value in values {
            // A count that other figures contradict is told by either, or by a tensor.
            edits.edit(format!("{name}_{value}"), &[&key(name), size, "tensor `"], |i| {
                i.entry(&key(name)).value = value.to_le_bytes().to_vec();
            });
        }
    }
    for (name, size, value) in NUMBERS.into_iter().filter(|(name, ..)| has(name)) {
        edits.edit(format!("{name}_{value}"), &[&key(name), size], |i| {
            i.entry(&key(name)).value = value.to_le_bytes().to_vec();
        });
    }
    edits.made
}

fn tokenizer(image: &Image) -> Vec<Edit> {
    let mut edits = Edits::new(image, "tokenizer");
    for name in ["model", "tokens", "merges"] {
        let key = format!("tokenizer.ggml.{name}");
        edits.edit(format!("{name}_missing"), &[&key], |i| {
            i.entries.retain(|entry| entry.key != key.as_bytes());
        });
    }
    edits.edit("model_unknown", &["tokenizer.ggml.model"], |i| {
        set_text(i, "tokenizer.ggml.model", "nonesuch")
    });
    edits.edit("tokens_as_text", &["tokenizer.ggml.tokens"], |i| {
        change_type(i, "tokenizer.ggml.tokens")
    });
    edits.edit("end_token_out_of_range", &["tokenizer.ggml.eos_token_id"], |i| {
        i.entry("tokenizer.ggml.eos_token_id").value = u32::MAX.to_le_bytes().to_vec();
    });
    edits.edit("one_token_type_too_few", &["tokenizer.ggml.token_type"], |i| {
        let value = &mut i.entry("tokenizer.ggml.token_type").value;
        let count = (value.len() - 12) / 4;
        value[4..12].copy_from_slice(&(count as u64 - 1).to_le_bytes());
        value.truncate(value.len() - 4);
    });
    edits.edit("merge_of_one_part", &["tokenizer.ggml.merges"], |i| {
        replace_in_first_merge(i, b' ', b'a')
    });
    edits.edit("merge_of_unknown_token", &["tokenizer.ggml.merges", "merge `"], |i| {
        let value = &mut i.entry("tokenizer.ggml.merges").value;
        let bytes = u64::from_le_bytes(value[12..20].try_into().expect("eight bytes")) as usize;
        value[20 + bytes - 1] = 1;
    });
    edits.made
}

fn architecture(image: &Image) -> String {
    let entry = image.entries.iter().find(|entry| entry.key == b"general.architecture");
    let text = entry.expect("a sound file names its architecture").value[8..].to_vec();
    String::from_utf8(text).expect("text of a sound file is UTF-8")
}

fn set_text(image: &mut Image, key: &str, text: &str) {
    image.entry(key).value = string(text.as_bytes());
}

/// Text becomes a number, anything else becomes text.
fn change_type(image: &mut Image, key: &str) {
    let entry = image.entry(key);
    (entry.kind, entry.value) = match entry.kind {
        KIND_STRING => (KIND_U32, vec![0; 4]),
        _ => (KIND_STRING, string(b"4")),
    };
}

fn replace_in_first_merge(image: &mut Image, from: u8, to: u8) {
    let value = &mut image.entry("tokenizer.ggml.merges").value;
    let found = value[20..].iter().position(|&byte| byte == from);
    value[20 + found.expect("a merge has two parts with a space between them")] = to;
}

/// Keys without which no model can be built that has them.
const REQUIRED: [&str; 7] = [
    "general.architecture",
    "block_count",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_rms_epsilon",
    "attention.relative_buckets_count",
];

/// Whole numbers that contradict the tensors, or that nothing can be divided by: the key, what a
/// model's sizes call it, and the numbers.
const COUNTS: &[(&str, &str, &[u32])] = &[
    ("block_count", "layers", &[0, 5, 1 << 20, u32::MAX]),
    ("embedding_length", "hidden", &[0, 63, 1 << 31, u32::MAX]),
    ("feed_forward_length", "ffn", &[0, 95, u32::MAX]),
    ("attention.head_count", "heads", &[0, 3, 1 << 31, u32::MAX]),
    ("attention.head_count_kv", "heads", &[0, 3, 8, u32::MAX]),
    ("attention.key_length", "value_length", &[0, 15, u32::MAX]),
    ("attention.value_length", "head_dim", &[0, 15, u32::MAX]),
    ("context_length", "context_tokens", &[0]),
    ("decoder_block_count", "layers", &[0, 1, 5, 1 << 20, u32::MAX]),
    ("attention.relative_buckets_count", "buckets", &[0, 4, 6, 1 << 20, u32::MAX]),
    ("decoder_start_token_id", "first_token", &[288, u32::MAX]),
];

/// Real numbers that would spread through every activation.
const NUMBERS: [(&str, &str, f32); 6] = [
    ("attention.layer_norm_rms_epsilon", "norm_epsilon", f32::NAN),
    ("attention.layer_norm_rms_epsilon", "norm_epsilon", -1.0),
    ("attention.layer_norm_rms_epsilon", "norm_epsilon", f32::INFINITY),
    ("rope.freq_base", "rope.theta", f32::NAN),
    ("rope.freq_base", "rope.theta", -1.0),
    ("rope.freq_base", "rope.theta", 0.0),
];
