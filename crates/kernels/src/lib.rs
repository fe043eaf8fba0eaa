//! GPU kernels of a transformer stage and their launchers.
//!
//! One law: **a row's bits depend on nothing but the row.** Every kernel sums in one
//! fixed order, whatever the batch, the chunk or the cut, so that many phones answer
//! exactly as one does. Kernels are written in CubeCL and run through the runtime of
//! `burn-wgpu`, unchanged in a browser (WebGPU) and natively (Vulkan, Metal).
//!
//! Nothing here allocates or compiles on the per-token path: buffers are made when a
//! stage is loaded, and each kernel is specialised by shapes that never change.

// A kernel takes one argument for each buffer it binds.
#![allow(clippy::too_many_arguments)]

mod attend;
mod attention;
mod branch;
mod cache;
mod gpu;
mod input;
mod launch;
mod layout;
mod matrix;
mod pack;
mod parts;
mod place;
mod products;
mod quantise;
mod step;
mod unpack;
mod weights;

pub use attention::{AttentionShape, RopeStyle, ScoreBias, Sees};
pub use cache::CacheType;
pub use gpu::{Buffer, Gpu, GpuError, Tiling};
pub use launch::{AttentionBuffers, Branch, Cache, Norm, NormKind, rows_bytes};
pub use layout::{Corner, GROUP_ROWS, Layout, PackError, RowShape};
pub use matrix::{Activation, Section, Sections};
pub use pack::{PackedMatrix, Packing, RowSource};
pub use parts::Matrix;
pub use step::{Step, StepBuffer};
pub use weights::{BLOCK_COLUMNS, WeightType};
