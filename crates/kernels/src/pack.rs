//! From the rows of a file to the layout of [`crate::matrix`].

use crate::{
    gpu::{Buffer, Gpu},
    matrix::{MAX_SECTIONS, Section, Sections},
    weights::{BLOCK_COLUMNS, Block, WeightType},
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

/// A source that cannot be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// Columns are not whole blocks.
    #[error("rows of {columns} columns cannot be packed; the number must be a multiple of {of}")]
    Columns {
        /// Columns of the source.
        columns: usize,
        /// What they must be a multiple of.
        of: usize,
    },
    /// Sources that are stored differently do not begin at a group of four rows.
    #[error("a matrix of {rows} rows cannot be fused with another of another type")]
    Rows {
        /// Rows of the one before.
        rows: usize,
    },
    /// Too many different storage types in one matrix.
    #[error("matrices of more than {MAX_SECTIONS} types cannot be fused")]
    Types,
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
        self.columns / self.weight_type.block_columns() * self.weight_type.block_bytes()
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
        let size = self.row_bytes();
        &self.bytes[row * size..(row + 1) * size]
    }

    fn blocks(&self, row: usize) -> impl Iterator<Item = Block> {
        let bytes = self.row(row).chunks_exact(self.weight_type.block_bytes());
        bytes.map(|bytes| Block::read(self.weight_type, bytes))
    }

    fn check(&self) -> Result<(), PackError> {
        let of = self.weight_type.block_columns().max(BLOCK_COLUMNS);
        if self.columns == 0 || !self.columns.is_multiple_of(of) {
            return Err(PackError::Columns { columns: self.columns, of });
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
        let alike = |a: &RowSource<'_>, b: &RowSource<'_>| a.weight_type == b.weight_type;
        Self::pack(gpu, &sources.chunk_by(alike).collect::<Vec<_>>())
    }

    /// The rows of `gate` and those of `up` in a section each, as [`Gpu::gate_up`] wants them.
    ///
    /// # Errors
    /// Where the sources' shapes or lengths do not fit; see [`PackError`].
    pub fn paired(gpu: &Gpu, gate: RowSource<'_>, up: RowSource<'_>) -> Result<Self, PackError> {
        Self::pack(gpu, &[&[gate], &[up]])
    }

    fn pack(gpu: &Gpu, sections: &[&[RowSource<'_>]]) -> Result<Self, PackError> {
        let columns = sections[0][0].columns;
        for source in sections.iter().copied().flatten() {
            source.check()?;
            if source.columns != columns {
                return Err(PackError::Mismatch { first: columns, other: source.columns });
            }
        }
        if sections.len() > MAX_SECTIONS {
            return Err(PackError::Types);
        }
        let (mut image, mut list) = (Image::default(), Vec::with_capacity(sections.len()));
        for (at, sources) in sections.iter().enumerate() {
            let rows: usize = sources.iter().map(|source| source.rows).sum();
            if at + 1 < sections.len() && !rows.is_multiple_of(4) {
                return Err(PackError::Rows { rows });
            }
            list.push(image.append(sources, columns, rows.div_ceil(4)));
        }
        // The kernels bind a buffer of scales whatever the types.
        image.scales.resize(image.scales.len().max(16), 0);
        let at = |at: usize| *list.get(at).unwrap_or(&list[0]);
        let sections = Sections { count: list.len(), list: std::array::from_fn(at) };
        Ok(Self { sections, words: gpu.upload(image.words), scales: gpu.upload(image.scales) })
    }

    /// Bytes that the matrix takes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.words.bytes() + self.scales.bytes()
    }
}

/// A packed matrix in memory: little-endian words and scales.
#[derive(Default)]
struct Image {
    words: Vec<u8>,
    scales: Vec<u8>,
}

impl Image {
    /// Adds a section with the rows of `sources`, which are all of one type.
    fn append(&mut self, sources: &[RowSource<'_>], columns: usize, groups: usize) -> Section {
        let weight_type = sources[0].weight_type;
        let (words_at, scales_at) = (self.words.len() / 16, self.scales.len() / 16);
        let section = Section { columns, groups, weight_type, words_at, scales_at };
        let size = |row_words: usize| row_words * groups * 16;
        self.words.resize(self.words.len() + size(weight_type.row_words(columns)), 0);
        self.scales.resize(self.scales.len() + size(weight_type.row_scale_words(columns)), 0);
        let rows = sources.iter().flat_map(|source| (0..source.rows).map(move |row| (source, row)));
        for (target, (source, row)) in rows.enumerate() {
            self.set_row(&section, target, source, row);
        }
        section
    }

    fn set_row(&mut self, section: &Section, target: usize, source: &RowSource<'_>, row: usize) {
        let words_image = &mut self.words[section.words_at * 16..];
        if !section.weight_type.is_quantised() {
            return interleave(words_image, section.groups, target, words(source.row(row)));
        }
        let blocks: Vec<Block> = source.blocks(row).collect();
        let codes: Vec<u8> = blocks
            .iter()
            .flat_map(|block| &block.codes[..section.weight_type.block_columns()])
            .copied()
            .collect();
        let row_words = code_words(section.weight_type, &codes);
        interleave(words_image, section.groups, target, row_words.into_iter());
        let scales_image = &mut self.scales[section.scales_at * 16..];
        let scale_words = blocks.iter().flat_map(Block::scale_words).copied();
        interleave(scales_image, section.groups, target, scale_words);
    }
}

/// The words of one row: the low bits of all columns, then their high bits.
fn code_words(weight_type: WeightType, codes: &[u8]) -> Vec<u32> {
    let word = |codes: &[u8], shift: u32, bits: usize| {
        let mask = (1u32 << bits) - 1;
        codes.iter().rev().fold(0, |word, &code| word << bits | u32::from(code) >> shift & mask)
    };
    let low_bits = 32 / weight_type.columns_per_word();
    let low = codes.chunks(weight_type.columns_per_word()).map(|codes| word(codes, 0, low_bits));
    let Some(per_word) = weight_type.columns_per_high_word() else { return low.collect() };
    let high = codes.chunks(per_word).map(|codes| word(codes, 4, 32 / per_word));
    low.chain(high).collect()
}

/// Puts one row's words into its component of its group.
fn interleave(image: &mut [u8], groups: usize, target: usize, words: impl Iterator<Item = u32>) {
    for (at, word) in words.enumerate() {
        let offset = ((at * groups + target / 4) * 4 + target % 4) * 4;
        image[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(|half| u16::from_le_bytes([half[0], half[1]]))
}
