import { fileURLToPath } from "node:url";

import type { Page } from "playwright-core";

/** How often the engine worker called each method of WebGPU since it was made. */
export interface GpuCounts {
  createBuffer: number;
  createComputePipeline: number;
  createComputePipelineAsync: number;
  createBindGroup: number;
  dispatchWorkgroups: number;
  dispatchWorkgroupsIndirect: number;
  writeBuffer: number;
  submit: number;
  mapAsync: number;
}

/** Counts in every page that is opened from now on. */
export async function watchGpu(page: Page): Promise<void> {
  await page.addInitScript({ path: fileURLToPath(new URL("watch-gpu.js", import.meta.url)) });
}

export function gpuCounts(page: Page): Promise<GpuCounts> {
  return page.evaluate(() => window.gpuCounts());
}

/** Destroys the engine worker's device, as a driver does that gives up. */
export async function loseGpu(page: Page): Promise<void> {
  await page.evaluate(() => window.loseGpu());
}

export function dispatchesOf(counts: GpuCounts): number {
  return counts.dispatchWorkgroups + counts.dispatchWorkgroupsIndirect;
}

export function pipelinesOf(counts: GpuCounts): number {
  return counts.createComputePipeline + counts.createComputePipelineAsync;
}
