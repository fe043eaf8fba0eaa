import { expect, test } from "@playwright/test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { writeGguf } from "../../src/bench/gguf-writer.ts";
import { encode, quantiseQ4, quantiseQ8 } from "../../src/bench/quantise.ts";
import { makeWeights } from "../../src/bench/weights.ts";
import { answerTokens, PRECISIONS, promptOf, tokensOf, vocabulary } from "../../src/bench/workload.ts";
import { readGguf } from "../../src/gguf.ts";

const SMALL = {
  layers: 2,
  hidden: 64,
  ffn: 96,
  heads: 2,
  kvHeads: 1,
  headDim: 32,
  vocab: 300,
  contextTokens: 16,
  ropeTheta: 10_000,
  epsilon: 1e-6,
};

for (const precision of PRECISIONS) {
  test(`${precision}: another reader finds every tensor in the file, and their bytes end it`, () => {
    const folder = mkdtempSync(join(tmpdir(), "lingualinked-bench-"));
    const file = join(folder, "model.gguf");
    writeGguf(file, SMALL, 1, precision);
    const index = readGguf(file);
    const bytes = readFileSync(file);
    rmSync(folder, { recursive: true });
    const weights = [...makeWeights(SMALL, 1)];
    expect(index.layers).toBe(SMALL.layers);
    expect(index.metadata.get("tokenizer.ggml.tokens")).toEqual({ length: SMALL.vocab });
    expect(index.tensors.map(({ name }) => name)).toEqual(weights.map(({ name }) => name));
    for (const [at, { start, end }] of index.tensors.entries()) {
      const { rows, values } = weights[at] as (typeof weights)[number];
      const expected = Buffer.from(encode(values, rows === 1 ? "F32" : precision));
      expect(bytes.subarray(start, end).equals(expected)).toBe(true);
    }
    const last = index.tensors.at(-1)?.end ?? 0;
    expect(bytes.length).toBe(Math.ceil(last / index.alignment) * index.alignment);
  });
}

test("a seed makes the same weights, and another seed others", () => {
  const first = (seed: number): number[] => [...([...makeWeights(SMALL, seed)][1]?.values ?? [])].slice(0, 8);
  expect(first(1)).toEqual(first(1));
  expect(first(1)).not.toEqual(first(2));
});

/** Powers of two, so that every scale is exact. */
const RISING = Float32Array.from({ length: 32 }, (_, at) => (at - 16) / 8);

test("Q8_0 takes the largest weight as 127 steps and rounds halves away from zero", () => {
  const block = Float32Array.from(RISING, (_, at) => [127, -127, 0.5, -0.5, 1.49, -1.49][at % 6] ?? 0);
  const { scale, steps } = quantiseQ8(block);
  expect(scale).toBe(1);
  expect([...steps.subarray(0, 6)]).toEqual([127, -127, 1, -1, 1, -1]);
  expect([...encode(block, "Q8_0").subarray(0, 4)]).toEqual([0x00, 0x3c, 127, 129]);
});

test("Q4_0 takes the weight farthest from zero as -8 steps, and puts a block's halves into one byte", () => {
  const { scale, steps } = quantiseQ4(RISING);
  expect(scale).toBe(0.25);
  expect([...steps.subarray(0, 4)]).toEqual([0, 1, 1, 2]);
  expect([...steps.subarray(28)]).toEqual([14, 15, 15, 15]);
  const turned = RISING.map((value) => -value);
  expect(quantiseQ4(turned)).toEqual({ scale: -0.25, steps });
  const bytes = encode(RISING, "Q4_0");
  expect(bytes).toHaveLength(18);
  expect([...bytes.subarray(0, 4)]).toEqual([0x00, 0x34, 0x80, 0x91]);
});

test("a block of zeros stays one", () => {
  const zeros = new Float32Array(32);
  expect([...encode(zeros, "Q8_0")].every((byte) => byte === 0)).toBe(true);
  expect([...quantiseQ4(zeros).steps]).toEqual(Array(32).fill(8));
});

test("prompts have exactly their tokens, and differ from the first on", () => {
  for (const tokens of [1, 128, 1024]) expect(tokensOf(promptOf(tokens, 3))).toHaveLength(tokens);
  expect(promptOf(128, 1)[0]).not.toBe(promptOf(1024, 2)[0]);
});

test("each token has a text of its own, by which an answer says its tokens", () => {
  const tokens = vocabulary(4096);
  expect(new Set(tokens).size).toBe(4096);
  expect([tokens[97], tokens[32], tokens[0]]).toEqual(["a", "Ġ", "Ā"]);
  expect(answerTokens(String.fromCodePoint(0x4e00 + 300, 0x4e00 + 4095))).toEqual([300, 4095]);
});
