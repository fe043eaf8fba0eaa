//! Files whose header, metadata or tensor table cannot be read.

use super::{Case, Edit, Edits, owned};
use crate::image::{Entry, HEADER_BYTES, Image, KIND_ARRAY, KIND_STRING, KIND_U32, string};

pub(super) fn cases(bytes: &[u8], image: &Image) -> Vec<Case> {
    let mut cases = truncations(bytes, image);
    cases.extend(patches(bytes, image));
    cases.extend(edits(image).into_iter().map(Edit::into_case));
    cases
}

/// The file cut off at every header field, and at the start, in the middle and
/// just before the end of every entry and line of the tensor table.
fn truncations(bytes: &[u8], image: &Image) -> Vec<Case> {
    let header = HEADER
        .iter()
        .flat_map(|&(field, ends)| ends.iter().map(move |&end| (end, vec![field.to_owned()])));
    let marks = image.marks();
    let inside = marks.windows(2).zip(line_names(image)).flat_map(|(pair, names)| {
        [pair[0], pair[0].midpoint(pair[1]), pair[1] - 1].map(|end| (end, names.clone()))
    });
    let cut = |(end, names)| Case {
        name: format!("structure/cut_at_{end}"),
        names,
        bytes: bytes[..end].to_vec(),
    };
    header.chain(inside).map(cut).collect()
}

/// Per entry and line of the tensor table: what an error may call it, before and after its name is
/// known.
fn line_names(image: &Image) -> Vec<Vec<String>> {
    let line = |kind: &str, number: usize, name: &[u8]| {
        vec![
            format!("{kind} {number}"),
            format!("inside {}", String::from_utf8_lossy(name)),
            format!("tensor `{}`", String::from_utf8_lossy(name)),
        ]
    };
    let entries = image.entries.iter().enumerate();
    let tensors = image.tensors.iter().enumerate();
    entries
        .map(|(number, entry)| line("the key of metadata field", number, &entry.key))
        .chain(tensors.map(|(number, tensor)| line("the name of tensor", number, &tensor.name)))
        .collect()
}

/// Bytes overwritten where the file's length stays the same.
fn patches(bytes: &[u8], image: &Image) -> Vec<Case> {
    let (tensors, entries) = (image.tensors.len() as u64, image.entries.len() as u64);
    let first_tensor = image.marks()[image.entries.len()];
    let first_name = String::from_utf8_lossy(&image.tensors[0].name);
    let dims = first_tensor + 8 + image.tensors[0].name.len();
    let mut cases = Vec::new();
    let mut patch = |name: &str, names: &[&str], at: usize, with: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + with.len()].copy_from_slice(with);
        cases.push(Case { name: format!("structure/{name}"), names: owned(names), bytes });
    };
    patch("magic_of_another_format", &["not a GGUF file"], 0, b"GGML");
    patch("magic_reversed", &["not a GGUF file"], 0, b"FUGG");
    for version in [0, 1, 4, u32::MAX, 3u32.swap_bytes()] {
        patch(&format!("version_{version}"), &["GGUF version"], 4, &version.to_le_bytes());
    }
    for count in HUGE.into_iter().chain([tensors + 1]) {
        patch(&format!("tensor_count_{count}"), &["tensor"], 8, &count.to_le_bytes());
    }
    for count in HUGE.into_iter().chain([0, entries - 1, entries + 1]) {
        patch(
            &format!("entry_count_{count}"),
            &["metadata field", "tensor"],
            16,
            &count.to_le_bytes(),
        );
    }
    for length in HUGE.into_iter().chain([0, bytes.len() as u64]) {
        let bytes = length.to_le_bytes();
        patch(&format!("first_key_of_{length}_bytes"), &["metadata field 0"], HEADER_BYTES, &bytes);
        let name = format!("first_tensor_name_of_{length}_bytes");
        patch(&name, &["tensor 0", "tensor ``"], first_tensor, &bytes);
    }
    for count in [0, 5, 1 << 20, u32::MAX] {
        patch(&format!("tensor_of_{count}_dimensions"), &[&first_name], dims, &count.to_le_bytes());
    }
    patch("key_not_utf8", &["the key of metadata field 0"], HEADER_BYTES + 8, &[0xff]);
    patch("tensor_name_not_utf8", &["the name of tensor 0"], first_tensor + 8, &[0xff]);
    cases
}

/// Values spelled wrong, with everything after them still in its place.
fn edits(image: &Image) -> Vec<Edit> {
    let mut edits = Edits::new(image, "structure");
    for kind in [13, 255, u32::MAX] {
        edits.edit(format!("value_type_{kind}"), &["general.architecture"], |i| {
            i.entry("general.architecture").kind = kind
        });
        edits.edit(format!("array_of_type_{kind}"), &["tokenizer.ggml.tokens"], |i| {
            patch_tokens(i, 0, &kind.to_le_bytes())
        });
    }
    for length in HUGE {
        edits.edit(format!("text_of_{length}_bytes"), &["general.architecture"], |i| {
            i.entry("general.architecture").value[..8].copy_from_slice(&length.to_le_bytes());
        });
        edits.edit(format!("array_of_{length}"), &["tokenizer.ggml.tokens"], |i| {
            patch_tokens(i, 4, &length.to_le_bytes())
        });
        edits.edit(format!("token_of_{length}_bytes"), &["tokenizer.ggml.tokens"], |i| {
            patch_tokens(i, 12, &length.to_le_bytes())
        });
        edits.edit(format!("numbers_{length}"), &["tokenizer.ggml.token_type"], |i| {
            i.entry("tokenizer.ggml.token_type").value[4..12]
                .copy_from_slice(&length.to_le_bytes());
        });
    }
    edits.edit("text_not_utf8", &["general.architecture"], |i| {
        i.entry("general.architecture").value[8] = 0xff
    });
    edits.edit("tokens_as_arrays", &["tokenizer.ggml.tokens"], |i| {
        patch_tokens(i, 0, &KIND_ARRAY.to_le_bytes())
    });
    edits
        .edit("arrays_nested_100000_deep", &["nested"], |i| i.entries.push(nested_arrays(100_000)));
    for alignment in [0u32, 3, 1 << 31] {
        edits.edit(format!("alignment_{alignment}"), &["general.alignment"], |i| {
            let key = b"general.alignment".to_vec();
            i.entries.push(Entry { key, kind: KIND_U32, value: alignment.to_le_bytes().to_vec() });
        });
    }
    edits.edit("alignment_as_text", &["general.alignment"], |i| {
        let key = b"general.alignment".to_vec();
        i.entries.push(Entry { key, kind: KIND_STRING, value: string(b"32") });
    });
    edits.made
}

/// Overwrite part of the token list: type at 0, count at 4, first length at 12.
fn patch_tokens(image: &mut Image, at: usize, with: &[u8]) {
    image.entry("tokenizer.ggml.tokens").value[at..at + with.len()].copy_from_slice(with);
}

/// An array of one array of one array ... of nothing.
fn nested_arrays(depth: usize) -> Entry {
    let level = [&KIND_ARRAY.to_le_bytes()[..], &1u64.to_le_bytes()].concat();
    let mut value = level.repeat(depth);
    value.extend(KIND_U32.to_le_bytes());
    value.extend(0u64.to_le_bytes());
    Entry { key: b"nested".to_vec(), kind: KIND_ARRAY, value }
}

/// Counts that no file holds; some overflow when multiplied by an element's size.
const HUGE: [u64; 4] = [1 << 32, 1 << 40, u64::MAX / 4 + 1, u64::MAX];

/// The header's fields, and places in them where a file may end.
const HEADER: [(&str, &[usize]); 4] = [
    ("the file's first bytes", &[0, 1, 3]),
    ("the version", &[4, 7]),
    ("the number of tensors", &[8, 15]),
    ("the number of metadata fields", &[16, 23]),
];
