/** Weights as GGUF stores them. Source: the GGUF specification and the reference quantisation of its Python package. */

import { f16round, Float16Array, setFloat16 } from "@petamoriken/float16";

import type { Precision } from "./workload.ts";

/** Weights that share a scale. */
export const BLOCK = 32;

export function encode(values: Float32Array, precision: Precision): Uint8Array {
  switch (precision) {
    case "F32":
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case "F16":
      return new Uint8Array(new Float16Array(values).buffer);
    case "Q8_0":
      return encodeBlocks(values, 2 + BLOCK, quantiseQ8);
    case "Q4_0":
      return encodeBlocks(values, 2 + BLOCK / 2, quantiseQ4);
  }
}

/** A block as integers and their scale. */
export interface Quantised {
  scale: number;
  /** Q8_0: from -127 to 127. Q4_0: from 0 to 15, where 8 is zero. */
  steps: Uint8Array | Int8Array;
}

export function quantiseQ8(block: Float32Array): Quantised {
  const scale = Math.fround(block.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127);
  const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
  const round = (value: number): number => Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
  const steps = Int8Array.from(block, (value) => round(Math.fround(value * inverse)));
  return { scale: f16round(scale), steps };
}

/** The weight that is farthest from zero becomes 0, which is -8 steps, whatever its sign. */
export function quantiseQ4(block: Float32Array): Quantised {
  const most = block.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  const scale = Math.fround(most / -8);
  const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
  const step = (value: number): number => Math.trunc(Math.fround(Math.fround(value * inverse) + 8.5));
  const steps = Uint8Array.from(block, (value) => Math.min(15, step(value)));
  return { scale: f16round(scale), steps };
}

/** All blocks of a matrix, one after another. */
export function* blocksOf(
  values: Float32Array,
  quantise: (block: Float32Array) => Quantised,
): Generator<Quantised> {
  for (let at = 0; at < values.length; at += BLOCK) yield quantise(values.subarray(at, at + BLOCK));
}

function encodeBlocks(
  values: Float32Array,
  blockBytes: number,
  quantise: (block: Float32Array) => Quantised,
): Uint8Array {
  const bytes = new Uint8Array((values.length / BLOCK) * blockBytes);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { scale, steps } of blocksOf(values, quantise)) {
    setFloat16(view, at, scale, true);
    bytes.set(steps instanceof Int8Array ? new Uint8Array(steps.buffer) : halves(steps), at + 2);
    at += blockBytes;
  }
  return bytes;
}

/** Two steps a byte: the first half of a block in the low bits, the second in the high ones. */
function halves(steps: Uint8Array): Uint8Array {
  return steps.subarray(0, BLOCK / 2).map((low, at) => low | ((steps[at + BLOCK / 2] ?? 0) << 4));
}
