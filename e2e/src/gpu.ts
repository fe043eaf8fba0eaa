import { fileURLToPath } from "node:url";

import type { Page } from "playwright-core";

type Method =
  | "createBuffer"
  | "createComputePipeline"
  | "createComputePipelineAsync"
  | "createBindGroup"
  | "createCommandEncoder"
  | "beginComputePass"
  | "copyBufferToBuffer"
  | "finish"
  | "setPipeline"
  | "setBindGroup"
  | "dispatchWorkgroups"
  | "dispatchWorkgroupsIndirect"
  | "end"
  | "writeBuffer"
  | "submit"
  | "mapAsync"
  | "getMappedRange"
  | "unmap";

/** How often the engine worker called each method of WebGPU since it was made. */
export type GpuCounts = Record<Method, number>;

/** Milliseconds in these methods since then; of those that give promises, until they were kept. */
export type GpuMillis = Record<Method, number>;

/** Counts in every page that is opened from now on. */
export async function watchGpu(page: Page): Promise<void> {
  await page.addInitScript({ path: fileURLToPath(new URL("watch-gpu.js", import.meta.url)) });
}

export function gpuCounts(page: Page): Promise<GpuCounts> {
  return page.evaluate(() => window.gpuCounts());
}

export function gpuMillis(page: Page): Promise<GpuMillis> {
  return page.evaluate(() => window.gpuMillis());
}

/**
 * Milliseconds that the engine measured itself since it was made: prompts to tokens, tokens to text, choosing tokens,
 * frames to bytes and to the channel, and bytes to frames.
 */
export type EngineSpans = Partial<
  Record<"tokenizer" | "detokenizer" | "sampler" | "sending" | "receiving", number>
>;

export function engineSpans(page: Page): Promise<EngineSpans> {
  return page.evaluate(() => window.engineSpans());
}

/** From now on, every kernel is timed by the GPU. That makes a step slower than it is without. */
export async function timeKernels(page: Page): Promise<void> {
  await page.evaluate(() => window.timeKernels());
}

/** Milliseconds of the timed kernels, by their names. */
export function kernelMillis(page: Page): Promise<Record<string, number>> {
  return page.evaluate(() => window.kernelMillis());
}

/** Milliseconds to read a few bytes from the engine worker's device when it has nothing else to do. */
export function gpuReadBackMs(page: Page): Promise<number> {
  return page.evaluate(() => window.gpuReadBackMs());
}

/** Destroys the engine worker's device, as a driver does that gives up. */
export async function loseGpu(page: Page): Promise<void> {
  await page.evaluate(() => window.loseGpu());
}

/** From the next weights that come, the engine worker's device has no memory for any buffer. */
export async function runShortOfMemory(page: Page): Promise<void> {
  await page.evaluate(() => window.runShortOfMemory());
}

/** It has memory again. */
export async function haveMemory(page: Page): Promise<void> {
  await page.evaluate(() => window.haveMemory());
}

export function dispatchesOf(counts: GpuCounts): number {
  return counts.dispatchWorkgroups + counts.dispatchWorkgroupsIndirect;
}

export function pipelinesOf(counts: GpuCounts): number {
  return counts.createComputePipeline + counts.createComputePipelineAsync;
}
