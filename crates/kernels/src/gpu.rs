//! The device, its buffers, and moving bytes to and from them.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use burn_wgpu::{RuntimeOptions, WgpuDevice, graphics::AutoGraphicsApi, try_init_setup_async};
use cubecl::{
    Device,
    bytes::Bytes,
    client::Client,
    server::Handle,
    wgpu::wgpu::{self, DeviceType},
};

/// Tasks gathered into one submission; a stage's step is a few dozen dispatches.
const TASKS_PER_SUBMISSION: usize = 64;

/// How often a device is asked whether it is alive. What came of an earlier refusal is told little by little, each
/// time in place of an answer.
const PROBES: usize = 16;

/// What the GPU refused or lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// There is no usable adapter or the device was refused.
    #[error("this device's GPU cannot be used: {0}")]
    Unavailable(String),
    /// There is no memory for a buffer. What is on the GPU stays; buffers made since the last read are
    /// not usable.
    #[error("the GPU has no memory left for it; lend less memory, or close what else uses it")]
    OutOfMemory,
    /// A queued operation failed. Perhaps the device is lost: [`Gpu::is_alive`] tells.
    #[error("the GPU stopped: {0}")]
    Failed(String),
}

impl From<wgpu::Error> for GpuError {
    fn from(error: wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// How much of a matrix one lane takes. Sums are made in the same order, whatever it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tiling {
    /// Most groups of four rows that a lane multiplies with each input it reads: 1, 2 or 4.
    pub groups: usize,
    /// Lanes that a matrix is at least shared out to.
    pub least_lanes: usize,
}

impl Tiling {
    /// A GPU's lanes read the same inputs together, and there should be many of them. A processor that
    /// acts as a GPU pays for each read.
    fn of(device: DeviceType) -> Self {
        Self { groups: if device == DeviceType::Cpu { 4 } else { 1 }, least_lanes: 32 }
    }
}

/// One GPU. Cloning shares the device and the dispatch counter.
#[derive(Clone)]
pub struct Gpu {
    pub(crate) client: Client,
    dispatches: Arc<AtomicU64>,
    /// What was refused since the last read.
    refusal: Arc<Mutex<Option<GpuError>>>,
    /// The adapter's name as the driver gives it.
    pub name: String,
    /// The largest buffer that one binding can hold.
    pub max_binding_bytes: u64,
    /// How products are shared out.
    pub tiling: Tiling,
}

impl Gpu {
    /// Opens the default adapter.
    ///
    /// # Errors
    /// [`GpuError::Unavailable`] where there is none or it refuses a device.
    pub async fn open() -> Result<Self, GpuError> {
        let unavailable = |error: &dyn std::fmt::Display| GpuError::Unavailable(error.to_string());
        let device = WgpuDevice::default();
        let mut options = RuntimeOptions::try_default().map_err(|error| unavailable(&error))?;
        options.tasks_max = TASKS_PER_SUBMISSION;
        let setup = try_init_setup_async::<AutoGraphicsApi>(&device, options)
            .await
            .map_err(|error| unavailable(&error))?;
        let refusal = Arc::<Mutex<Option<GpuError>>>::default();
        let first = refusal.clone();
        // In place of CubeCL's, which panics: on the web that is the end of the worker.
        setup.device.on_uncaptured_error(Arc::new(move |error| {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| GpuError::from(error));
        }));
        let info = setup.adapter.get_info();
        Ok(Self {
            client: Device::from(device).client(),
            dispatches: Arc::default(),
            refusal,
            tiling: Tiling::of(info.device_type),
            name: info.name,
            max_binding_bytes: setup.device.limits().max_storage_buffer_binding_size,
        })
    }

    /// A buffer of `size` bytes with undefined contents.
    pub fn empty(&self, size: usize) -> Buffer {
        Buffer(self.client.empty(size))
    }

    /// A buffer that holds `bytes`.
    pub fn upload(&self, bytes: Vec<u8>) -> Buffer {
        Buffer(self.client.create(Bytes::from_bytes_vec(bytes)))
    }

    /// A buffer that holds `values`.
    pub fn upload_f32(&self, values: &[f32]) -> Buffer {
        self.upload(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// Overwrites the first bytes of `buffer`.
    ///
    /// # Panics
    /// If there are more `bytes` than the buffer holds.
    pub fn write(&self, buffer: &Buffer, bytes: Vec<u8>) {
        self.write_at(buffer, 0, bytes);
    }

    /// Waits for all launches so far and reads the first `size` bytes of `buffer`.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`] when memory was refused since the last read, [`GpuError::Failed`] when a
    /// launch failed or the device was lost.
    pub async fn read(&self, buffer: &Buffer, size: usize) -> Result<Vec<u8>, GpuError> {
        let all = 0..size;
        Ok(self.read_parts(buffer, std::slice::from_ref(&all)).await?.remove(0))
    }

    /// As [`Gpu::read`], of several ranges of bytes at multiples of four.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    ///
    /// # Panics
    /// If a range goes beyond the buffer.
    pub async fn read_parts(
        &self,
        buffer: &Buffer,
        ranges: &[Range<usize>],
    ) -> Result<Vec<Vec<u8>>, GpuError> {
        let parts = ranges.iter().map(|range| buffer.part(range)).collect();
        let read = self.client.read_async(parts).await;
        self.check()?;
        let read = read.map_err(|error| GpuError::Failed(format!("{error:?}")))?;
        Ok(read.into_iter().map(|bytes| bytes.to_vec()).collect())
    }

    /// Overwrites some bytes of `buffer` from `at` on, a multiple of four.
    ///
    /// # Panics
    /// If they go beyond the buffer.
    pub fn write_at(&self, buffer: &Buffer, at: usize, bytes: Vec<u8>) {
        let part = buffer.part(&(at..at + bytes.len()));
        self.client.write(&part, Bytes::from_bytes_vec(bytes));
    }

    /// Gives the memory of dropped buffers back to the device, and forgets buffers that it refused. Else
    /// the runtime keeps them for new ones.
    pub fn release(&self) {
        // It refuses only while it records a graph, which nothing here does.
        let _ = self.client.memory_cleanup();
    }

    /// What was refused since the last read, if anything was.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub fn check(&self) -> Result<(), GpuError> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        refusal.map_or(Ok(()), Err)
    }

    /// Whether the device still takes bytes and gives them back. What it refused before is forgotten.
    pub async fn is_alive(&self) -> bool {
        for _ in 0..PROBES {
            if self.gives_back().await {
                return true;
            }
        }
        false
    }

    async fn gives_back(&self) -> bool {
        let bytes = vec![1; 16];
        let probe = self.upload(bytes.clone());
        self.read(&probe, bytes.len()).await.is_ok_and(|read| read == bytes)
    }

    /// As [`Gpu::read`], as `f32`.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub async fn read_f32(&self, buffer: &Buffer, count: usize) -> Result<Vec<f32>, GpuError> {
        let bytes = self.read(buffer, 4 * count).await?;
        Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// Kernel launches since the device was opened.
    pub fn dispatches(&self) -> u64 {
        self.dispatches.load(Ordering::Relaxed)
    }

    pub(crate) fn count_dispatch(&self) {
        self.dispatches.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Bytes on the GPU, freed when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Buffer(pub(crate) Handle);

impl Buffer {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.size_in_used()
    }

    fn part(&self, range: &Range<usize>) -> Handle {
        let behind = (self.bytes() as usize)
            .checked_sub(range.end)
            .expect("no more bytes are moved than the buffer holds");
        let mut part = self.0.clone();
        if range.start > 0 {
            part = part.offset_start(range.start as u64);
        }
        if behind > 0 {
            part = part.offset_end(behind as u64);
        }
        part
    }
}
