//! What a step tells the kernels: which position and cache slot each row has, which rows go
//! through the head, and how long the prompt is that a row sees all of.
//!
//! The buffer is `u32 [4, capacity]`: positions, slots, head rows, lengths of prompts.

use crate::gpu::{Buffer, Gpu};

/// The rows of one step, in the order of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Position of each row in its request.
    pub positions: Vec<u32>,
    /// Cache slot of each row's request.
    pub slots: Vec<u32>,
    /// Rows whose logits are wanted.
    pub head_rows: Vec<u32>,
}

impl Step {
    /// `rows` consecutive positions of one request, logits for the last row only.
    pub fn chunk(slot: u32, first_position: u32, rows: u32) -> Self {
        let mut step = Self::default();
        step.add(slot, first_position, rows);
        step.head_rows.extend(step.last_row());
        step
    }

    /// `rows` more: consecutive positions of one request, without logits.
    pub fn add(&mut self, slot: u32, first_position: u32, rows: u32) {
        self.positions.extend(first_position..first_position + rows);
        self.slots.extend((0..rows).map(|_| slot));
    }

    /// The newest row, as one of [`Step::head_rows`].
    pub fn last_row(&self) -> Option<u32> {
        self.rows().checked_sub(1).map(|row| row as u32)
    }

    /// How many rows the step has.
    pub fn rows(&self) -> usize {
        self.positions.len()
    }
}

/// Lists in the buffer.
const LANES: usize = 4;

/// The step's place on the GPU, allocated once.
#[derive(Clone, Debug)]
pub struct StepBuffer {
    pub(crate) buffer: Buffer,
    /// The most rows that a step may have.
    pub capacity: usize,
}

impl StepBuffer {
    /// A buffer for steps of at most `capacity` rows.
    pub fn new(gpu: &Gpu, capacity: usize) -> Self {
        Self { buffer: gpu.empty(LANES * capacity * size_of::<u32>()), capacity }
    }

    /// Uploads a step; it applies to the launches that follow.
    ///
    /// # Panics
    /// If the step has more rows than the buffer's capacity.
    pub fn write(&self, gpu: &Gpu, step: &Step) {
        self.write_with_prompts(gpu, step, &[]);
    }

    /// As [`StepBuffer::write`], with the length of the prompt that each row sees.
    ///
    /// # Panics
    /// If there are more rows than the buffer's capacity.
    pub fn write_with_prompts(&self, gpu: &Gpu, step: &Step, prompts: &[u32]) {
        assert!(
            step.rows() <= self.capacity,
            "a step of {} rows in {}",
            step.rows(),
            self.capacity
        );
        let mut words = vec![0u32; LANES * self.capacity];
        let parts = [&step.positions[..], &step.slots, &step.head_rows, prompts];
        for (lane, part) in words.chunks_exact_mut(self.capacity).zip(parts) {
            lane[..part.len()].copy_from_slice(part);
        }
        gpu.write(&self.buffer, words.iter().flat_map(|word| word.to_le_bytes()).collect());
    }

    /// Where the head rows start.
    pub(crate) fn head_rows_at(&self) -> usize {
        2 * self.capacity
    }
}
