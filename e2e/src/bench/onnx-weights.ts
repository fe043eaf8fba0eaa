/** The same weights as ONNX Runtime wants them. */

import type { OnnxTensor } from "./onnx-schema.ts";
import { BLOCK, blocksOf, quantiseQ4 } from "./quantise.ts";
import type { Precision, Sizes } from "./workload.ts";

/** What is written: floats, and Q4_0's own numbers. */
export type OnnxPrecision = Extract<Precision, "F32" | "Q4_0">;

/** A matrix for a product with it, and its values as they are after rounding. */
export function matrix(
  name: string,
  { rows, columns }: { rows: number; columns: number },
  values: Float32Array,
  precision: OnnxPrecision,
): { tensors: OnnxTensor[]; rounded: Float32Array } {
  if (precision === "F32") {
    const turned = floats(name, [columns, rows], transposed(values, rows, columns));
    return { tensors: [turned], rounded: values };
  }
  const packed = new Uint8Array(values.length / 2);
  const scales = new Float32Array(values.length / BLOCK);
  const rounded = new Float32Array(values.length);
  let block = 0;
  for (const { scale, steps } of blocksOf(values, quantiseQ4)) {
    scales[block] = scale;
    for (let at = 0; at < BLOCK; at++) rounded[block * BLOCK + at] = ((steps[at] ?? 0) - 8) * scale;
    for (let at = 0; at < BLOCK; at += 2)
      packed[(block * BLOCK + at) / 2] = (steps[at] ?? 0) | ((steps[at + 1] ?? 0) << 4);
    block += 1;
  }
  const blocks = columns / BLOCK;
  const quantised: OnnxTensor = { name, element: "uint8", dims: [rows, blocks, BLOCK / 2], bytes: packed };
  return { tensors: [quantised, floats(`${name}.scales`, [rows * blocks], scales)], rounded };
}

/** Cosines and sines of every position, a row each. */
export function rotaryTables({ contextTokens, headDim, ropeTheta }: Sizes): OnnxTensor[] {
  const half = headDim / 2;
  const table = (name: string, of: (angle: number) => number): OnnxTensor => {
    const angle = (at: number): number => Math.floor(at / half) * ropeTheta ** (-(at % half) / half);
    const values = Float32Array.from({ length: contextTokens * half }, (_, at) => of(angle(at)));
    return floats(name, [contextTokens, half], values);
  };
  return [table("cos_cache", Math.cos), table("sin_cache", Math.sin)];
}

export function floats(name: string, dims: number[], values: Float32Array): OnnxTensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, element: "float32", dims, bytes };
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = values[row * columns + column] ?? 0;
  return turned;
}
