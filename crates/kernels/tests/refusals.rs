//! What a device refuses fails the next read and nothing else.

use kernels::{Gpu, GpuError};
use pollster::block_on;

#[test]
fn a_buffer_beyond_the_limit_fails_the_next_read_alone() {
    let gpu = block_on(Gpu::open()).expect("a Vulkan adapter, if only in software");
    let beyond = gpu.empty(gpu.max_binding_bytes as usize + 4096);
    let read = block_on(gpu.read(&beyond, 16));
    assert!(matches!(read, Err(GpuError::Failed(_))), "{read:?}");
    println!("{read:?}");
    assert!(block_on(gpu.is_alive()), "the device goes on");
    let sound = gpu.upload(vec![7; 16]);
    assert_eq!(block_on(gpu.read(&sound, 16)), Ok(vec![7; 16]));
}
