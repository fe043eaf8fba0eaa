//! From the rows of a file to the layout of [`crate::matrix`].

use crate::{
    gpu::{Buffer, Gpu},
    layout::{Corner, GROUP_ROWS, Layout, PackError, RowShape},
    matrix::Sections,
    weights::{Block, WeightType},
};

/// Rows of one tensor as they lie in the file, row after row, without padding.
#[derive(Clone, Copy, Debug)]
pub struct RowSource<'a> {
    /// How the rows are stored.
    pub weight_type: WeightType,
    /// Output features.
    pub rows: usize,
    /// Input features; a multiple of 32 and of the type's blocks.
    pub columns: usize,
    /// Little-endian data, `rows * row_bytes` of it.
    pub bytes: &'a [u8],
}

impl RowSource<'_> {
    /// The rows without their data.
    pub fn shape(&self) -> RowShape {
        RowShape { weight_type: self.weight_type, rows: self.rows, columns: self.columns }
    }

    /// One row as `f32`, exactly as the file's format defines its values.
    pub fn widened_row(&self, row: usize) -> Vec<f32> {
        let bytes = self.row(row);
        match self.weight_type {
            WeightType::F32 => words(bytes).map(f32::from_bits).collect(),
            WeightType::F16 => {
                halves(bytes).map(|half| half::f16::from_bits(half).to_f32()).collect()
            }
            WeightType::Bf16 => {
                halves(bytes).map(|half| f32::from_bits(u32::from(half) << 16)).collect()
            }
            _ => self.blocks(row).flat_map(|block| block.values().collect::<Vec<_>>()).collect(),
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        let size = self.shape().row_bytes();
        &self.bytes[row * size..(row + 1) * size]
    }

    fn blocks(&self, row: usize) -> impl Iterator<Item = Block> {
        let bytes = self.row(row).chunks_exact(self.weight_type.block_bytes());
        bytes.map(|bytes| Block::read(self.weight_type, bytes))
    }

    fn check(&self) -> Result<(), PackError> {
        let (rows, expected) = (self.rows, self.rows * self.shape().row_bytes());
        match self.bytes.len() {
            found if found != expected => Err(PackError::Length { rows, expected, found }),
            _ => Ok(()),
        }
    }
}

/// A weight matrix on the GPU.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    /// Its shape; the rows of each section are padded with zeros to whole groups.
    pub sections: Sections,
    pub(crate) words: Buffer,
    pub(crate) scales: Buffer,
}

impl PackedMatrix {
    /// The rows of all `sources`, one source after the other.
    ///
    /// # Errors
    /// Where the sources' shapes or lengths do not fit; see [`PackError`].
    pub fn stacked(gpu: &Gpu, sources: &[RowSource<'_>]) -> Result<Self, PackError> {
        let shapes: Vec<_> = sources.iter().map(RowSource::shape).collect();
        Self::whole(gpu, Layout::stacked(&shapes)?, sources)
    }

    /// The rows of `gate` and those of `up` in a section each, as [`Gpu::gate_up`] wants them.
    ///
    /// # Errors
    /// Where the sources' shapes or lengths do not fit; see [`PackError`].
    pub fn paired(gpu: &Gpu, gate: RowSource<'_>, up: RowSource<'_>) -> Result<Self, PackError> {
        Self::whole(gpu, Layout::paired(gate.shape(), up.shape())?, &[gate, up])
    }

    fn whole(gpu: &Gpu, layout: Layout, sources: &[RowSource<'_>]) -> Result<Self, PackError> {
        let packing = Packing::new(gpu, layout);
        for (tensor, source) in sources.iter().enumerate() {
            packing.write(tensor, Corner::default(), source)?;
        }
        Ok(packing.finish())
    }

    /// Bytes that the matrix takes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.words.bytes() + self.scales.bytes()
    }
}

/// A matrix on the GPU whose rows come in pieces, so that the whole is never in the host's memory.
#[derive(Debug)]
pub struct Packing<'a> {
    gpu: &'a Gpu,
    layout: Layout,
    matrix: PackedMatrix,
}

impl<'a> Packing<'a> {
    /// Makes room for a matrix. Every row of every tensor is to be written.
    pub fn new(gpu: &'a Gpu, layout: Layout) -> Self {
        let matrix = PackedMatrix {
            sections: layout.sections,
            words: gpu.empty(layout.words_bytes()),
            scales: gpu.empty(layout.scales_bytes()),
        };
        Self { gpu, layout, matrix }
    }

    /// Packs rows of the layout's `tensor`, or some columns of them, and puts them into their place,
    /// from `corner` on.
    ///
    /// # Errors
    /// [`PackError::Length`].
    ///
    /// # Panics
    /// If `corner` does not begin a group of rows and a block of columns, or the rows reach beyond
    /// the tensor or are of another type.
    pub fn write(
        &self,
        tensor: usize,
        corner: Corner,
        rows: &RowSource<'_>,
    ) -> Result<(), PackError> {
        rows.check()?;
        let (section, before) = self.layout.place(tensor);
        let (first, groups) = (before + corner.row / GROUP_ROWS, rows.shape().groups());
        assert!(
            rows.weight_type == section.weight_type
                && first + groups <= section.groups
                && corner.fits(rows.shape(), section.columns),
            "{:?} from {corner:?} on in {section:?}",
            rows.shape()
        );
        let image = Image::of(rows);
        let words_before = section.weight_type.row_words(corner.column);
        let scales_before = section.weight_type.row_scale_words(corner.column);
        let targets = [
            (image.words, &self.matrix.words, section.words_at, words_before),
            (image.scales, &self.matrix.scales, section.scales_at, scales_before),
        ];
        for (piece, target, at, before) in
            targets.into_iter().filter(|(piece, ..)| !piece.is_empty())
        {
            let first = at + before * section.groups + first;
            self.gpu.place(&piece, target, first, groups, section.groups);
        }
        Ok(())
    }

    /// The matrix, once all its rows are written.
    pub fn finish(self) -> PackedMatrix {
        self.matrix
    }
}

/// Rows in the layout of a section that has no others: little-endian words and scales.
struct Image {
    words: Vec<u8>,
    scales: Vec<u8>,
}

impl Image {
    fn of(rows: &RowSource<'_>) -> Self {
        let (weight_type, columns) = (rows.weight_type, rows.columns);
        let size = |row_words: usize| vec![0; row_words * rows.shape().groups() * 16];
        let mut image = Self {
            words: size(weight_type.row_words(columns)),
            scales: size(weight_type.row_scale_words(columns)),
        };
        for row in 0..rows.rows {
            image.set_row(rows, row);
        }
        image
    }

    fn set_row(&mut self, source: &RowSource<'_>, row: usize) {
        let groups = source.shape().groups();
        if !source.weight_type.is_quantised() {
            return interleave(&mut self.words, groups, row, words(source.row(row)));
        }
        let blocks: Vec<Block> = source.blocks(row).collect();
        let codes: Vec<u8> = blocks
            .iter()
            .flat_map(|block| &block.codes[..source.weight_type.block_columns()])
            .copied()
            .collect();
        let row_words = code_words(source.weight_type, &codes);
        interleave(&mut self.words, groups, row, row_words.into_iter());
        let scale_words = blocks.iter().flat_map(Block::scale_words).copied();
        interleave(&mut self.scales, groups, row, scale_words);
    }
}

/// The words of one row: the low bits of all columns, then their high bits.
fn code_words(weight_type: WeightType, codes: &[u8]) -> Vec<u32> {
    // The highest of several bits turned over makes a signed integer of one that has an offset. The
    // bytes of `Q8_0` are signed as they are.
    let word = |codes: &[u8], shift: u32, bits: usize, turned: u32| {
        let mask = (1u32 << bits) - 1;
        let field = |code: u8| (u32::from(code) >> shift & mask) ^ turned;
        codes.iter().rev().fold(0, |word, &code| word << bits | field(code))
    };
    let low_bits = 32 / weight_type.columns_per_word();
    let turned = if low_bits == 4 { 8 } else { 0 };
    let low = codes.chunks(weight_type.columns_per_word());
    let low = low.map(|codes| word(codes, 0, low_bits, turned));
    let high_bits = weight_type.high_bits();
    if high_bits == 0 {
        return low.collect();
    }
    let turned = if high_bits == 2 { 2 } else { 0 };
    low.chain(codes.chunks(32 / high_bits).map(|codes| word(codes, 4, high_bits, turned))).collect()
}

/// Puts one row's words into its component of its group.
fn interleave(image: &mut [u8], groups: usize, row: usize, words: impl Iterator<Item = u32>) {
    for (at, word) in words.enumerate() {
        let offset = ((at * groups + row / 4) * 4 + row % 4) * 4;
        image[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(|half| u16::from_le_bytes([half[0], half[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Random;

    /// Rows of two tensors; the last group of the second is not full.
    const ROWS: [usize; 2] = [12, 22];

    #[test]
    fn pieces_leave_the_bits_of_the_whole() {
        let gpu = pollster::block_on(Gpu::open()).expect("a Vulkan adapter, if only in software");
        for weight_type in WeightType::ALL {
            let columns = weight_type.block_columns().max(64);
            let mut random = Random::new(3);
            let mut bytes = |rows: usize| -> Vec<u8> {
                let row = RowShape { weight_type, rows: 1, columns }.row_bytes();
                (0..rows * row).map(|_| random.next_u64() as u8).collect()
            };
            let data = ROWS.map(&mut bytes);
            let sources = [0, 1].map(|tensor| RowSource {
                weight_type,
                rows: ROWS[tensor],
                columns,
                bytes: &data[tensor],
            });
            let whole = PackedMatrix::stacked(&gpu, &sources).expect("the shapes fit");
            for rows in [4, 8, 16] {
                assert_alike(&gpu, &in_pieces(&gpu, &sources, rows), &whole);
            }
            if weight_type.block_columns() < columns {
                assert_alike(&gpu, &in_columns(&gpu, &sources), &whole);
            }
            let image = Image::of(&sources[1]);
            let alone = PackedMatrix::stacked(&gpu, &sources[1..]).expect("the shape fits");
            let read = pollster::block_on(gpu.read(&alone.words, image.words.len()));
            assert_eq!(read, Ok(image.words), "{weight_type:?}");
        }
    }

    fn assert_alike(gpu: &Gpu, pieces: &PackedMatrix, whole: &PackedMatrix) {
        let read = |buffer: &Buffer| pollster::block_on(gpu.read(buffer, buffer.bytes() as usize));
        let weight_type = whole.sections.list[0].weight_type;
        assert_eq!(read(&pieces.words), read(&whole.words), "{weight_type:?}");
        if weight_type.is_quantised() {
            assert_eq!(read(&pieces.scales), read(&whole.scales), "{weight_type:?}");
        }
    }

    /// All rows of a tensor, first the right half of their columns and then the left.
    fn in_columns(gpu: &Gpu, sources: &[RowSource<'_>]) -> PackedMatrix {
        let shapes: Vec<_> = sources.iter().map(RowSource::shape).collect();
        let packing = Packing::new(gpu, Layout::stacked(&shapes).expect("the shapes fit"));
        for (tensor, source) in sources.iter().enumerate() {
            let (columns, row_bytes) = (source.columns / 2, source.shape().row_bytes());
            for half in [1, 0] {
                let rows = source.bytes.chunks_exact(row_bytes);
                let bytes: Vec<u8> = rows
                    .flat_map(|row| &row[half * row_bytes / 2..(half + 1) * row_bytes / 2])
                    .copied()
                    .collect();
                let piece = RowSource { columns, bytes: &bytes, ..*source };
                let corner = Corner { row: 0, column: half * columns };
                packing.write(tensor, corner, &piece).expect("the length is right");
            }
        }
        packing.finish()
    }

    fn in_pieces(gpu: &Gpu, sources: &[RowSource<'_>], most: usize) -> PackedMatrix {
        let shapes: Vec<_> = sources.iter().map(RowSource::shape).collect();
        let packing = Packing::new(gpu, Layout::stacked(&shapes).expect("the shapes fit"));
        for (tensor, source) in sources.iter().enumerate() {
            // Backwards, since the order is free.
            for first in (0..source.rows).step_by(most).rev() {
                let (row, rows) = (source.shape().row_bytes(), most.min(source.rows - first));
                let bytes = &source.bytes[first * row..(first + rows) * row];
                let piece = RowSource { rows, bytes, ..*source };
                let corner = Corner { row: first, column: 0 };
                packing.write(tensor, corner, &piece).expect("the length is right");
            }
        }
        packing.finish()
    }
}
