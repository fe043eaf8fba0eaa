//! Files whose tensor table contradicts the file or the hyper-parameters.

use super::{Edit, Edits};
use crate::image::{ALIGNMENT, Image, Tensor};

pub(super) fn edits(image: &Image) -> Vec<Edit> {
    let mut edits = Edits::new(image, "tensor");
    missing(&mut edits);
    wrong_shapes(&mut edits);
    wrong_offsets(&mut edits);
    for kind in [4, 255, u32::MAX] {
        edits.edit(format!("of_type_{kind}"), &[EMBEDDING], |i| i.tensor(EMBEDDING).kind = kind);
    }
    let first = name_of(&edits.sound.tensors[0]);
    edits.edit("twice", &[&first], |i| i.tensors.push(i.tensors[0].clone()));
    let data_bytes = image.data.len();
    // Padding is shorter than the alignment, so the last cut takes bytes of the last tensor.
    for left in [0, data_bytes / 2, data_bytes - ALIGNMENT] {
        edits.edit(format!("data_cut_to_{left}_bytes"), &["tensor `"], |i| i.data.truncate(left));
    }
    edits.made
}

/// Each tensor of the first layers, the embedding and the norms behind the last
/// taken out. (A file without `output.weight` is a sound one with tied matrices.)
fn missing(edits: &mut Edits) {
    let names: Vec<_> = edits.sound.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    for name in names {
        let text = String::from_utf8_lossy(&name).into_owned();
        if text.contains("blk.0.") || text == EMBEDDING || text.ends_with("output_norm.weight") {
            edits.edit(format!("{text}_missing"), &[&text], |i| {
                i.tensors.retain(|tensor| tensor.name != name)
            });
        }
    }
}

fn wrong_shapes(edits: &mut Edits) {
    let shapes: [&[u64]; 9] = [
        &[0, 0],
        &[0, 288],
        &[64, 0],
        &[33, 288],
        &[64],
        &[1 << 32, 1 << 32],
        &[u64::MAX, 2],
        &[1 << 62, 4],
        &[64, u64::MAX / 64],
    ];
    for dims in shapes {
        let name = dims.iter().map(u64::to_string).collect::<Vec<_>>().join("x");
        edits.edit(format!("of_shape_{name}"), &[EMBEDDING, "vocab"], |i| {
            i.tensor(EMBEDDING).dims = dims.to_vec()
        });
    }
    let [up, norm] = ["ffn_up", "attn_norm"].map(|part| first_named(edits.sound, part));
    edits.edit("transposed", &[&up], |i| i.tensor(&up).dims.reverse());
    edits.edit("norm_too_short", &[&norm], |i| i.tensor(&norm).dims[0] -= 32);
    edits.edit("norm_of_no_width", &[&norm], |i| i.tensor(&norm).dims[0] = 0);
}

/// The first tensor of a layer 0 that has this part.
fn first_named(image: &Image, part: &str) -> String {
    let end = format!("blk.0.{part}.weight");
    let mut names = image.tensors.iter().map(name_of);
    names.find(|name| name.ends_with(&end)).expect("every model has it")
}

fn wrong_offsets(edits: &mut Edits) {
    let data_bytes = edits.sound.data.len() as u64;
    let align = ALIGNMENT as u64;
    let offsets = [
        data_bytes.next_multiple_of(align),
        data_bytes.next_multiple_of(align) - align,
        1 << 40,
        1 << 63,
        u64::MAX - (align - 1),
        u64::MAX,
    ];
    for offset in offsets {
        edits.edit(format!("offset_{offset}"), &[EMBEDDING], |i| {
            i.tensor(EMBEDDING).offset = offset
        });
    }
    let first: Vec<_> = edits.sound.tensors.iter().take(2).map(name_of).collect();
    let (zeroth, first) = (first[0].as_str(), first[1].as_str());
    for bytes in [1, 8, 31] {
        edits.edit(format!("misaligned_by_{bytes}"), &[first], |i| i.tensors[1].offset += bytes);
    }
    edits.edit("on_another", &[zeroth, first], |i| i.tensors[1].offset = i.tensors[0].offset);
    edits.edit("overlapping_another", &[zeroth, first], |i| i.tensors[1].offset -= align);
}

fn name_of(tensor: &Tensor) -> String {
    String::from_utf8_lossy(&tensor.name).into_owned()
}

const EMBEDDING: &str = "token_embd.weight";
