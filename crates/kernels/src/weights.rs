//! How weights are stored: GGML's blocks in a file, words and scales on the GPU.
//!
//! Every type but the plain floats stands for `scale * integer - minimum`, with one scale (and
//! minimum) for 16 or 32 columns. The GPU keeps the file's own bits in another order: first the low
//! bits of all columns of a row, then their high bits, and apart from them the scales. Low bits are
//! stored as signed integers, 8 less, and so are two high bits, 2 less.

/// How the weights of a matrix are stored. The names and the blocks are GGML's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WeightType {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of an IEEE single.
    Bf16,
    /// 32 signed bytes and a half-precision scale.
    Q8_0,
    /// 32 nibbles, 8 subtracted, and a half-precision scale.
    Q4_0,
    /// 256 nibbles; 8 scales and minima of 6 bits; two half-precision factors for them.
    Q4K,
    /// [`WeightType::Q4K`] with a fifth bit for every weight.
    Q5K,
    /// 256 integers of 6 bits, 32 subtracted; 16 scales of a byte; a half-precision factor for them.
    Q6K,
}

/// Columns that the kernels handle at once; rows are whole numbers of them.
pub const BLOCK_COLUMNS: usize = 32;
/// Most columns of a block in a file.
const MAX_BLOCK_COLUMNS: usize = 256;
/// Words of scales for a block of 256 columns: the factors, then 16 bytes.
pub(crate) const SUPER_SCALE_WORDS: usize = 5;

impl WeightType {
    /// Every type.
    pub const ALL: [Self; 8] =
        [Self::F32, Self::F16, Self::Bf16, Self::Q8_0, Self::Q4_0, Self::Q4K, Self::Q5K, Self::Q6K];

    /// Columns of one block in a file; a row is whole blocks.
    pub fn block_columns(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 | Self::Q4_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => MAX_BLOCK_COLUMNS,
        }
    }

    /// Bytes of one block in a file.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => 2 + 32,
            Self::Q4_0 => 2 + 16,
            Self::Q4K => 4 + 12 + 128,
            Self::Q5K => 4 + 12 + 32 + 128,
            Self::Q6K => 128 + 64 + 16 + 2,
        }
    }

    /// How many columns one 32-bit word holds, of their low bits.
    pub(crate) fn columns_per_word(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => 4,
            _ => 8,
        }
    }

    /// Bits of a weight that are apart from its lowest four.
    pub(crate) fn high_bits(self) -> usize {
        match self {
            Self::Q5K => 1,
            Self::Q6K => 2,
            _ => 0,
        }
    }

    /// Words of one row's weights on the GPU.
    pub(crate) fn row_words(self, columns: usize) -> usize {
        let high = columns * self.high_bits() / 32;
        columns / self.columns_per_word() + high
    }

    /// Words of one row's scales on the GPU.
    pub(crate) fn row_scale_words(self, columns: usize) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 0,
            Self::Q8_0 | Self::Q4_0 => columns / 32,
            _ => columns / MAX_BLOCK_COLUMNS * SUPER_SCALE_WORDS,
        }
    }

    /// Bytes of one row on the GPU, scales included.
    pub fn resident_row_bytes(self, columns: usize) -> usize {
        4 * (self.row_words(columns) + self.row_scale_words(columns))
    }

    /// Columns under one scale, of the 32 that the kernels handle at once.
    pub(crate) fn scale_columns(self) -> usize {
        if self == Self::Q6K { 16 } else { BLOCK_COLUMNS }
    }

    /// Scales of the columns that the kernels handle at once.
    pub(crate) fn parts(self) -> usize {
        BLOCK_COLUMNS / self.scale_columns()
    }

    /// Whether weights have scales.
    pub(crate) fn is_quantised(self) -> bool {
        self.row_scale_words(MAX_BLOCK_COLUMNS) > 0
    }

    /// Whether a minimum is subtracted from every weight.
    pub(crate) fn has_minimum(self) -> bool {
        matches!(self, Self::Q4K | Self::Q5K)
    }

    /// Whether a product needs the sum of its inputs: for the offset or the minimum.
    pub(crate) fn needs_input_sums(self) -> bool {
        self.has_minimum() || self.offset() != 0.0
    }

    /// What is added to every unpacked integer.
    pub(crate) fn offset(self) -> f32 {
        if self.block_columns() == MAX_BLOCK_COLUMNS { 8.0 } else { 0.0 }
    }

    /// What unpacked integers are multiples of, inverted.
    pub(crate) fn unit(self) -> f32 {
        match self {
            Self::Q8_0 => 2f32.powi(-24),
            _ => 2f32.powi(-28),
        }
    }

    /// What the high bits' integer, moved to the top of its word, is multiplied with beside the low
    /// bits' one: the lowest of them counts 16.
    pub(crate) fn high_factor(self) -> f32 {
        // One bit alone is its own sign.
        if self == Self::Q5K { -2.0 } else { 4.0 }
    }
}

/// A block of a quantised type, taken apart.
pub(crate) struct Block {
    weight_type: WeightType,
    /// What is stored for each column, its offset not yet subtracted; a signed byte in `Q8_0`.
    pub(crate) codes: [u8; MAX_BLOCK_COLUMNS],
    /// The scales as the GPU has them; one word in blocks of 32 columns.
    scale_words: [u32; SUPER_SCALE_WORDS],
}

impl Block {
    /// Takes a block of a file apart.
    ///
    /// # Panics
    /// If `bytes` are not one block, or the type has no scales.
    pub(crate) fn read(weight_type: WeightType, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), weight_type.block_bytes(), "one block");
        let mut block = Self {
            weight_type,
            codes: [0; MAX_BLOCK_COLUMNS],
            scale_words: [0; SUPER_SCALE_WORDS],
        };
        match weight_type {
            WeightType::Q8_0 => block.read_q8_0(bytes),
            WeightType::Q4_0 => block.read_q4_0(bytes),
            WeightType::Q4K => block.read_q4_k(&bytes[..16], &[], &bytes[16..]),
            WeightType::Q5K => block.read_q4_k(&bytes[..16], &bytes[16..48], &bytes[48..]),
            WeightType::Q6K => block.read_q6_k(bytes),
            _ => panic!("{weight_type:?} has no blocks"),
        }
        block
    }

    /// The scales as the GPU has them.
    pub(crate) fn scale_words(&self) -> &[u32] {
        let is_super = self.weight_type.block_columns() == MAX_BLOCK_COLUMNS;
        &self.scale_words[..if is_super { SUPER_SCALE_WORDS } else { 1 }]
    }

    /// The weights, bit for bit as GGML computes them.
    pub(crate) fn values(&self) -> impl Iterator<Item = f32> + '_ {
        (0..self.weight_type.block_columns()).map(|column| self.value(column))
    }

    fn value(&self, column: usize) -> f32 {
        let code = self.codes[column];
        match self.weight_type {
            WeightType::Q8_0 => f32::from_bits(self.scale_words[0]) * f32::from(code as i8),
            WeightType::Q4_0 => f32::from_bits(self.scale_words[0]) * (f32::from(code) - 8.0),
            WeightType::Q6K => {
                let scale = f32::from(self.scale_byte(column / 16) as i8);
                f32::from_bits(self.scale_words[0]) * scale * (f32::from(code) - 32.0)
            }
            _ => {
                let [low, high] = [self.scale_words[0] as u16, (self.scale_words[0] >> 16) as u16];
                let of = |bits: u16| half::f16::from_bits(bits).to_f32();
                let scale = of(low) * f32::from(self.scale_byte(column / 32));
                let minimum = of(high) * f32::from(self.scale_byte(8 + column / 32));
                scale * f32::from(code) - minimum
            }
        }
    }

    fn scale_byte(&self, at: usize) -> u8 {
        self.scale_words[1 + at / 4].to_le_bytes()[at % 4]
    }

    fn set_scale_byte(&mut self, at: usize, byte: u8) {
        self.scale_words[1 + at / 4] |= u32::from(byte) << (8 * (at % 4));
    }

    fn read_q8_0(&mut self, bytes: &[u8]) {
        self.scale_words[0] = half(bytes, 0).to_bits();
        self.codes[..32].copy_from_slice(&bytes[2..]);
    }

    fn read_q4_0(&mut self, bytes: &[u8]) {
        self.scale_words[0] = half(bytes, 0).to_bits();
        for (at, byte) in bytes[2..].iter().enumerate() {
            self.codes[at] = byte & 15;
            self.codes[at + 16] = byte >> 4;
        }
    }

    /// Eight groups of 32 columns; a byte holds a column of an even group and, above it, one of the
    /// next. `high_bits` has a byte for each column of a group, one bit for each group.
    fn read_q4_k(&mut self, front: &[u8], high_bits: &[u8], low_bits: &[u8]) {
        self.scale_words[0] = u32::from_le_bytes([front[0], front[1], front[2], front[3]]);
        for group in 0..8 {
            let (scale, minimum) = scale_and_minimum(&front[4..], group);
            self.set_scale_byte(group, scale);
            self.set_scale_byte(8 + group, minimum);
            for at in 0..32 {
                let low = low_bits[group / 2 * 32 + at] >> (4 * (group % 2)) & 15;
                let high = high_bits.get(at).map_or(0, |bits| bits >> group & 1);
                self.codes[32 * group + at] = low | high << 4;
            }
        }
    }

    /// Two halves of 128 columns, each of four groups of 32: a byte of low bits holds a column of
    /// one group and one of the group after the next, a byte of high bits one of each group.
    fn read_q6_k(&mut self, bytes: &[u8]) {
        let (low_bits, rest) = bytes.split_at(128);
        let (high_bits, rest) = rest.split_at(64);
        self.scale_words[0] = half(rest, 16).to_bits();
        for (at, &scale) in rest[..16].iter().enumerate() {
            self.set_scale_byte(at, scale);
        }
        for column in 0..MAX_BLOCK_COLUMNS {
            let (part, group, at) = (column / 128, column % 128 / 32, column % 32);
            let low = low_bits[64 * part + 32 * (group % 2) + at] >> (4 * (group / 2)) & 15;
            let high = high_bits[32 * part + at] >> (2 * group) & 3;
            self.codes[column] = low | high << 4;
        }
    }
}

/// The 6-bit scale and minimum of one of the eight groups in the 12 bytes of a `Q4_K` block.
fn scale_and_minimum(bytes: &[u8], group: usize) -> (u8, u8) {
    if group < 4 {
        return (bytes[group] & 63, bytes[group + 4] & 63);
    }
    let low = bytes[group + 4];
    (low & 15 | bytes[group - 4] >> 6 << 4, low >> 4 | bytes[group] >> 6 << 4)
}

fn half(bytes: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}
