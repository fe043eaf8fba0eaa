//! Deterministic pseudo-random data for kernel tests.

use half::f16;

/// A splitmix64 generator (Steele, Lea, Flood 2014): the same numbers on every
/// target for the same seed.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator whose whole sequence follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound`; `bound` must not be zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % bound as u64) as usize
    }

    /// Uniform in -1.0..1.0, a multiple of 2^-23.
    pub fn f32(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// `count` numbers as [`Random::f32`].
    pub fn f32s(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.f32()).collect()
    }

    /// Little-endian bytes of `count` halves in -1.0..1.0, as a GGUF F16 tensor holds them.
    pub fn f16_bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).flat_map(|_| f16::from_f32(self.f32()).to_le_bytes()).collect()
    }

    /// `count` Q8_0 blocks of 34 bytes, 32 values each, scales in 0.0..1/127.
    pub fn q8_0_blocks(&mut self, count: usize) -> Vec<u8> {
        (0..count).flat_map(|_| self.q8_0_block()).collect()
    }

    fn q8_0_block(&mut self) -> [u8; 34] {
        let mut block = [0; 34];
        let scale = f16::from_f32(self.f32().abs() / 127.0);
        block[..2].copy_from_slice(&scale.to_le_bytes());
        block[2..].fill_with(|| self.next_u64() as u8);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        let mut random = Random::new(1234567);
        assert_eq!(random.next_u64(), 6457827717110365317);
        assert_eq!(random.next_u64(), 3203168211198807973);
    }

    #[test]
    fn numbers_fill_their_range() {
        let numbers = Random::new(1).f32s(10_000);
        assert!(numbers.iter().all(|n| (-1.0..1.0).contains(n)));
        assert!(numbers.iter().any(|n| *n < -0.99) && numbers.iter().any(|n| *n > 0.99));
        // The sum's standard deviation is sqrt(10000 / 3) = 58; allow five.
        assert!(numbers.iter().sum::<f32>().abs() < 290.0);
        assert_eq!(Random::new(1).q8_0_blocks(3).len(), 102);
    }
}
