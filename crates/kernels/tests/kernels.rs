//! The kernels natively, on whatever Vulkan adapter there is.

mod checks;

#[test]
fn every_kernel_agrees_with_its_reference() {
    let gpu =
        pollster::block_on(kernels::Gpu::open()).expect("a Vulkan adapter, if only in software");
    let failed: Vec<_> = pollster::block_on(checks::all(&gpu))
        .into_iter()
        .filter(|check| !check.has_passed())
        .map(|check| format!("{}: {}", check.name, check.error))
        .collect();
    assert!(failed.is_empty(), "on {}: {failed:#?}", gpu.name);
}
