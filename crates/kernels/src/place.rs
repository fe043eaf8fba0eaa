//! Putting a packed piece of a matrix into its place.

use cubecl::prelude::*;

use crate::{
    gpu::{Buffer, Gpu},
    launch::vec4,
    matrix::Words,
};

const LANES: u32 = 64;

impl Gpu {
    /// Copies `piece`, the words of `groups` groups, to where a section of `of` groups has them;
    /// `first` is the place of the piece's first word. Little-endian words, places in `vec4`.
    pub(crate) fn place(
        &self,
        piece: &[u8],
        target: &Buffer,
        first: usize,
        groups: usize,
        of: usize,
    ) {
        self.count_dispatch();
        let count = piece.len() / 16;
        // Not arguments of the kernel: the runtime keeps a buffer for each set of those.
        let numbers = [count, first, groups, of].map(|number| (number as u32).to_le_bytes());
        let piece = self.upload([numbers.as_flattened(), piece].concat());
        // SAFETY: a lane past the piece does nothing, and `Packing::write` checks that the piece
        // lies in the target.
        unsafe {
            place::launch_unchecked(
                &self.client,
                CubeCount::Static((count as u32).div_ceil(LANES), 1, 1),
                CubeDim::new_1d(LANES),
                vec4(&piece),
                vec4(target),
            );
        }
    }
}

/// `target[first + of * word + group] = piece[1 + groups * word + group]`: one `vec4` a lane. The
/// piece begins with how many there are, `first`, `groups` and `of`.
#[cube(launch_unchecked)]
fn place(piece: &[Words], target: &mut [Words]) {
    let numbers = piece[0];
    let at = ABSOLUTE_POS_X;
    if at < numbers.extract(0usize) {
        let groups = numbers.extract(2usize);
        let to = numbers.extract(1usize) + at / groups * numbers.extract(3usize) + at % groups;
        target[to as usize] = piece[at as usize + 1];
    }
}
