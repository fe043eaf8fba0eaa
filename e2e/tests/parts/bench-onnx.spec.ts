import { expect, test } from "@playwright/test";

import { encodeModel } from "../../src/bench/onnx-schema.ts";
import { matrix } from "../../src/bench/onnx-weights.ts";
import { encode } from "../../src/bench/quantise.ts";

test("a matrix is turned for a product with it", () => {
  const values = Float32Array.from([1, 2, 3, 4, 5, 6]);
  const { tensors, rounded } = matrix("m", { rows: 2, columns: 3 }, values, "F32");
  expect(tensors).toHaveLength(1);
  expect(tensors[0]?.dims).toEqual([3, 2]);
  expect([...new Float32Array(tensors[0]?.bytes.buffer as ArrayBuffer)]).toEqual([1, 4, 2, 5, 3, 6]);
  expect(rounded).toBe(values);
});

test("four bits are Q4_0's own numbers in another order", () => {
  const values = Float32Array.from({ length: 64 }, (_, at) => Math.sin(at));
  const { tensors, rounded } = matrix("m", { rows: 2, columns: 32 }, values, "Q4_0");
  const [packed, scales] = tensors.map(({ bytes }) => bytes);
  const gguf = encode(values, "Q4_0");
  const low = (gguf[2] ?? 0) & 15;
  const next = (gguf[3] ?? 0) & 15;
  expect(packed?.[0]).toBe(low | (next << 4));
  expect(tensors.map(({ dims }) => dims)).toEqual([[2, 1, 16], [2]]);
  const [scale] = new Float32Array((scales as Uint8Array).buffer);
  expect(rounded[0]).toBe(Math.fround((low - 8) * (scale ?? 0)));
  for (const [at, value] of values.entries()) expect(Math.abs((rounded[at] ?? 0) - value)).toBeLessThan(0.15);
});

test("a model is written with the specification's field numbers", () => {
  const bytes = encodeModel({
    nodes: [{ op: "Relu", inputs: ["x"], outputs: ["y"] }],
    weights: [],
    inputs: [{ name: "x", element: "float32", dims: [1, "n"] }],
    outputs: [{ name: "y", element: "float32", dims: [1, "n"] }],
  });
  // ir_version = 10, then the producer's name: fields 1 and 2.
  expect([...bytes.subarray(0, 4)]).toEqual([0x08, 10, 0x12, "lingualinked-bench".length]);
  // A node (field 1 of the graph): input "x" (1), output "y" (2), its name (3), its operator (4).
  const node = [0x0a, 1, 120, 0x12, 1, 121, 0x1a, 1, 121, 0x22, 4, ...Buffer.from("Relu")];
  expect(Buffer.from(bytes).includes(Buffer.from(node))).toBe(true);
  // A tensor type (1) of floats (1) with a shape (2) of the dimensions (1) 1 (1) and n (2).
  const type = [0x0a, 13, 0x08, 1, 0x12, 9, 0x0a, 2, 0x08, 1, 0x0a, 3, 0x12, 1, 110];
  expect(Buffer.from(bytes).includes(Buffer.from(type))).toBe(true);
});
