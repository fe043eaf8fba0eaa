//! Files whose hyper-parameters or tokenizer make no sense.

use super::Edits;
use crate::image::{Image, KIND_STRING, KIND_U32, string};

pub(super) fn edits(image: &Image) -> Vec<(String, Image)> {
    let mut edits = config(image);
    edits.extend(tokenizer(image));
    edits
}

fn config(image: &Image) -> Vec<(String, Image)> {
    let architecture = architecture(image);
    let mut edits = Edits::new(image, "config");
    let key = |name: &str| match name {
        "general.architecture" => name.to_owned(),
        name => format!("{architecture}.{name}"),
    };
    edits.edit("architecture_unknown", |i| set_text(i, "general.architecture", "nonesuch"));
    for name in REQUIRED {
        edits.edit(format!("{name}_missing"), |i| {
            i.entries.retain(|entry| entry.key != key(name).as_bytes());
        });
        edits.edit(format!("{name}_of_another_type"), |i| change_type(i, &key(name)));
    }
    for &(name, values) in COUNTS {
        for value in values {
            edits.edit(format!("{name}_{value}"), |i| {
                i.entry(&key(name)).value = value.to_le_bytes().to_vec();
            });
        }
    }
    for (name, value) in NUMBERS {
        edits.edit(format!("{name}_{value}"), |i| {
            i.entry(&key(name)).value = value.to_le_bytes().to_vec();
        });
    }
    edits.made
}

fn tokenizer(image: &Image) -> Vec<(String, Image)> {
    let mut edits = Edits::new(image, "tokenizer");
    for name in ["model", "tokens", "merges"] {
        edits.edit(format!("{name}_missing"), |i| {
            i.entries.retain(|entry| entry.key != format!("tokenizer.ggml.{name}").as_bytes());
        });
    }
    edits.edit("model_unknown", |i| set_text(i, "tokenizer.ggml.model", "nonesuch"));
    edits.edit("tokens_as_text", |i| change_type(i, "tokenizer.ggml.tokens"));
    edits.edit("end_token_out_of_range", |i| {
        i.entry("tokenizer.ggml.eos_token_id").value = u32::MAX.to_le_bytes().to_vec();
    });
    edits.edit("one_token_type_too_few", |i| {
        let value = &mut i.entry("tokenizer.ggml.token_type").value;
        let count = (value.len() - 12) / 4;
        value[4..12].copy_from_slice(&(count as u64 - 1).to_le_bytes());
        value.truncate(value.len() - 4);
    });
    edits.edit("merge_of_one_part", |i| replace_in_first_merge(i, b' ', b'a'));
    edits.edit("merge_of_unknown_token", |i| {
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

/// Keys without which no decoder can be built.
const REQUIRED: [&str; 6] = [
    "general.architecture",
    "block_count",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_rms_epsilon",
];

/// Whole numbers that contradict the tensors, or that nothing can be divided by.
const COUNTS: &[(&str, &[u32])] = &[
    ("block_count", &[0, 5, 1 << 20, u32::MAX]),
    ("embedding_length", &[0, 63, 1 << 31, u32::MAX]),
    ("feed_forward_length", &[0, 95, u32::MAX]),
    ("attention.head_count", &[0, 3, 1 << 31, u32::MAX]),
    ("attention.head_count_kv", &[0, 3, 8, u32::MAX]),
    ("attention.key_length", &[0, 15, u32::MAX]),
    ("attention.value_length", &[0, 15, u32::MAX]),
    ("context_length", &[0]),
];

/// Real numbers that would spread through every activation.
const NUMBERS: [(&str, f32); 6] = [
    ("attention.layer_norm_rms_epsilon", f32::NAN),
    ("attention.layer_norm_rms_epsilon", -1.0),
    ("attention.layer_norm_rms_epsilon", f32::INFINITY),
    ("rope.freq_base", f32::NAN),
    ("rope.freq_base", -1.0),
    ("rope.freq_base", 0.0),
];
