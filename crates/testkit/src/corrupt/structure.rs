//! Files whose header, metadata or tensor table cannot be read.

use super::{Case, Edits};
use crate::image::{Entry, HEADER_BYTES, Image, KIND_ARRAY, KIND_STRING, KIND_U32, string};

pub(super) fn cases(bytes: &[u8], image: &Image) -> Vec<Case> {
    let mut cases = truncations(bytes, image);
    cases.extend(patches(bytes, image));
    cases.extend(edits(image).into_iter().map(|(name, image)| (name, image.to_bytes())));
    cases
}

/// The file cut off at every header field, and at the start, in the middle and
/// just before the end of every entry and line of the tensor table.
fn truncations(bytes: &[u8], image: &Image) -> Vec<Case> {
    let marks = image.marks();
    let inside =
        marks.windows(2).flat_map(|pair| [pair[0], pair[0].midpoint(pair[1]), pair[1] - 1]);
    let ends = [0, 1, 3, 4, 7, 8, 15, 16, 23].into_iter().chain(inside);
    ends.map(|end| (format!("structure/cut_at_{end}"), bytes[..end].to_vec())).collect()
}

/// Bytes overwritten where the file's length stays the same.
fn patches(bytes: &[u8], image: &Image) -> Vec<Case> {
    let (tensors, entries) = (image.tensors.len() as u64, image.entries.len() as u64);
    let first_tensor = image.marks()[image.entries.len()];
    let dims = first_tensor + 8 + image.tensors[0].name.len();
    let mut cases = Vec::new();
    let mut patch = |name: &str, at: usize, with: &[u8]| {
        let mut damaged = bytes.to_vec();
        damaged[at..at + with.len()].copy_from_slice(with);
        cases.push((format!("structure/{name}"), damaged));
    };
    patch("magic_of_another_format", 0, b"GGML");
    patch("magic_reversed", 0, b"FUGG");
    for version in [0, 1, 4, u32::MAX, 3u32.swap_bytes()] {
        patch(&format!("version_{version}"), 4, &version.to_le_bytes());
    }
    for count in HUGE.into_iter().chain([tensors + 1]) {
        patch(&format!("tensor_count_{count}"), 8, &count.to_le_bytes());
    }
    for count in HUGE.into_iter().chain([0, entries - 1, entries + 1]) {
        patch(&format!("entry_count_{count}"), 16, &count.to_le_bytes());
    }
    for length in HUGE.into_iter().chain([0, bytes.len() as u64]) {
        patch(&format!("first_key_of_{length}_bytes"), HEADER_BYTES, &length.to_le_bytes());
        patch(&format!("first_tensor_name_of_{length}_bytes"), first_tensor, &length.to_le_bytes());
    }
    for count in [0, 5, 1 << 20, u32::MAX] {
        patch(&format!("tensor_of_{count}_dimensions"), dims, &count.to_le_bytes());
    }
    patch("key_not_utf8", HEADER_BYTES + 8, &[0xff]);
    patch("tensor_name_not_utf8", first_tensor + 8, &[0xff]);
    cases
}

/// Values spelled wrong, with everything after them still in its place.
fn edits(image: &Image) -> Vec<(String, Image)> {
    let mut edits = Edits::new(image, "structure");
    for kind in [13, 255, u32::MAX] {
        edits.edit(format!("value_type_{kind}"), |i| i.entry("general.architecture").kind = kind);
        edits.edit(format!("array_of_type_{kind}"), |i| patch_tokens(i, 0, &kind.to_le_bytes()));
    }
    for length in HUGE {
        edits.edit(format!("text_of_{length}_bytes"), |i| {
            i.entry("general.architecture").value[..8].copy_from_slice(&length.to_le_bytes());
        });
        edits.edit(format!("array_of_{length}"), |i| patch_tokens(i, 4, &length.to_le_bytes()));
        edits.edit(format!("token_of_{length}_bytes"), |i| {
            patch_tokens(i, 12, &length.to_le_bytes())
        });
        edits.edit(format!("numbers_{length}"), |i| {
            i.entry("tokenizer.ggml.token_type").value[4..12]
                .copy_from_slice(&length.to_le_bytes());
        });
    }
    edits.edit("text_not_utf8", |i| i.entry("general.architecture").value[8] = 0xff);
    edits.edit("tokens_as_arrays", |i| patch_tokens(i, 0, &KIND_ARRAY.to_le_bytes()));
    edits.edit("arrays_nested_100000_deep", |i| i.entries.push(nested_arrays(100_000)));
    for alignment in [0u32, 3, 1 << 31] {
        edits.edit(format!("alignment_{alignment}"), |i| {
            let key = b"general.alignment".to_vec();
            i.entries.push(Entry { key, kind: KIND_U32, value: alignment.to_le_bytes().to_vec() });
        });
    }
    edits.edit("alignment_as_text", |i| {
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
