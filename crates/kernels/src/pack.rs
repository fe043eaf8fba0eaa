//! From the rows of a file to the layout of [`crate::matrix`].

use crate::{
    gpu::{Buffer, Gpu},
    matrix::{BLOCK_COLUMNS, MatrixShape, WeightType},
};

/// Bytes of one `Q8_0` block in a GGUF file: an `f16` scale, then 32 signed bytes.
const Q8_0_BLOCK_BYTES: usize = 2 + BLOCK_COLUMNS;

/// Rows of one tensor as they lie in the file, row after row, without padding.
#[derive(Clone, Copy, Debug)]
pub struct RowSource<'a> {
    /// How the rows are stored.
    pub weight_type: WeightType,
    /// Output features.
    pub rows: usize,
    /// Input features; a multiple of 32.
    pub columns: usize,
    /// Little-endian data, `rows * row_bytes` of it.
    pub bytes: &'a [u8],
}

/// A source that cannot be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// Columns are not whole blocks.
    #[error("rows of {columns} columns cannot be packed; the number must be a multiple of 32")]
    Columns {
        /// Columns of the source.
        columns: usize,
    },
    /// Sources of one matrix differ in columns.
    #[error("matrices of {first} and {other} columns cannot be fused")]
    Mismatch {
        /// Columns of the first source.
        first: usize,
        /// Columns of the other one.
        other: usize,
    },
    /// The data does not have the length that the shape implies.
    #[error("a matrix of {rows} rows needs {expected} bytes and has {found}")]
    Length {
        /// Rows of the source.
        rows: usize,
        /// Bytes the shape implies.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
}

impl RowSource<'_> {
    /// Bytes of one row in the file.
    pub fn row_bytes(&self) -> usize {
        match self.weight_type {
            WeightType::F32 => self.columns * 4,
            WeightType::F16 => self.columns * 2,
            WeightType::Q8_0 => self.columns / BLOCK_COLUMNS * Q8_0_BLOCK_BYTES,
        }
    }

    /// One row as `f32`, exactly as the file's format defines its values.
    pub fn widened_row(&self, row: usize) -> Vec<f32> {
        let bytes = self.row(row);
        match self.weight_type {
            WeightType::F32 => words(bytes).map(f32::from_bits).collect(),
            WeightType::F16 => halves(bytes).collect(),
            WeightType::Q8_0 => bytes
                .chunks_exact(Q8_0_BLOCK_BYTES)
                .flat_map(|block| {
                    let scale = widen_half(block[0], block[1]);
                    block[2..].iter().map(move |&byte| f32::from(byte as i8) * scale)
                })
                .collect(),
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        let size = self.row_bytes();
        &self.bytes[row * size..(row + 1) * size]
    }

    fn check(&self) -> Result<(), PackError> {
        if self.columns == 0 || !self.columns.is_multiple_of(BLOCK_COLUMNS) {
            return Err(PackError::Columns { columns: self.columns });
        }
        let expected = self.rows * self.row_bytes();
        if self.bytes.len() != expected {
            let (rows, found) = (self.rows, self.bytes.len());
            return Err(PackError::Length { rows, expected, found });
        }
        Ok(())
    }
}

/// A weight matrix on the GPU.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    /// Its shape; rows are padded with zeros to whole groups.
    pub shape: MatrixShape,
    pub(crate) words: Buffer,
    pub(crate) scales: Buffer,
}

impl PackedMatrix {
    /// The rows of all `sources`, one source after the other.
    ///
    /// # Errors
    /// Where the sources' shapes or lengths do not fit; see [`PackError`].
    pub fn stacked(gpu: &Gpu, sources: &[RowSource<'_>]) -> Result<Self, PackError> {
        let rows =
            (0..sources.len()).flat_map(|at| (0..sources[at].rows).map(move |row| (at, row)));
        Self::pack(gpu, sources, rows.collect())
    }

    /// The rows of `gate` and `up`, four of each in turn.
    ///
    /// # Errors
    /// Where the sources' shapes or lengths do not fit; see [`PackError`].
    pub fn alternating(
        gpu: &Gpu,
        gate: RowSource<'_>,
        up: RowSource<'_>,
    ) -> Result<Self, PackError> {
        let group = |source: usize, first: usize| (first..first + 4).map(move |row| (source, row));
        let rows =
            (0..gate.rows).step_by(4).flat_map(|first| group(0, first).chain(group(1, first)));
        Self::pack(gpu, &[gate, up], rows.collect())
    }

    fn pack(
        gpu: &Gpu,
        sources: &[RowSource<'_>],
        order: Vec<(usize, usize)>,
    ) -> Result<Self, PackError> {
        let columns = sources[0].columns;
        for source in sources {
            source.check()?;
            if source.columns != columns {
                return Err(PackError::Mismatch { first: columns, other: source.columns });
            }
        }
        let uniform = sources.iter().all(|source| source.weight_type == sources[0].weight_type);
        let weight_type = if uniform { sources[0].weight_type } else { WeightType::F32 };
        let shape = MatrixShape { columns, groups: order.len().div_ceil(4), weight_type };
        let mut image = Image::new(shape);
        for (target, &(source, row)) in order.iter().enumerate() {
            image.set_row(target, &sources[source], row);
        }
        Ok(Self { shape, words: gpu.upload(image.words), scales: gpu.upload(image.scales) })
    }

    /// Bytes that the matrix takes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.words.bytes() + self.scales.bytes()
    }
}

/// A packed matrix in memory: little-endian words and scales.
struct Image {
    shape: MatrixShape,
    words: Vec<u8>,
    scales: Vec<u8>,
}

impl Image {
    fn new(shape: MatrixShape) -> Self {
        let row_words = shape.columns / shape.weight_type.columns_per_word();
        let row_scales = match shape.weight_type {
            WeightType::Q8_0 => shape.columns / BLOCK_COLUMNS,
            // The kernels bind a scale buffer whatever the type.
            _ => 1,
        };
        let size = |per_row: usize| per_row * shape.groups * 16;
        Self { shape, words: vec![0; size(row_words)], scales: vec![0; size(row_scales)] }
    }

    fn set_row(&mut self, target: usize, source: &RowSource<'_>, row: usize) {
        match self.shape.weight_type {
            WeightType::F32 => {
                let wide = source.widened_row(row);
                self.set_words(target, wide.iter().map(|value| value.to_le_bytes()));
            }
            WeightType::F16 => {
                let words = source.row(row).chunks_exact(4).map(four);
                self.set_words(target, words);
            }
            WeightType::Q8_0 => {
                let blocks = source.row(row).chunks_exact(Q8_0_BLOCK_BYTES);
                let words = blocks.clone().flat_map(|block| block[2..].chunks_exact(4)).map(four);
                self.set_words(target, words);
                self.set_scales(target, blocks.map(|block| widen_half(block[0], block[1])));
            }
        }
    }

    fn set_words(&mut self, target: usize, words: impl Iterator<Item = [u8; 4]>) {
        interleave(&mut self.words, self.shape.groups, target, words);
    }

    fn set_scales(&mut self, target: usize, scales: impl Iterator<Item = f32>) {
        interleave(&mut self.scales, self.shape.groups, target, scales.map(f32::to_le_bytes));
    }
}

/// Puts one row's words into its component of its group.
fn interleave(
    image: &mut [u8],
    groups: usize,
    target: usize,
    words: impl Iterator<Item = [u8; 4]>,
) {
    for (at, word) in words.enumerate() {
        let offset = ((at * groups + target / 4) * 4 + target % 4) * 4;
        image[offset..offset + 4].copy_from_slice(&word);
    }
}

fn four(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(four(word)))
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(2).map(|half| widen_half(half[0], half[1]))
}

/// The `f32` that equals a little-endian half-precision number.
fn widen_half(low: u8, high: u8) -> f32 {
    half::f16::from_le_bytes([low, high]).to_f32()
}
