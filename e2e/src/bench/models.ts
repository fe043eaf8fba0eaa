/** The model's files, made once and kept until what makes them changes. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { writeGguf } from "./gguf-writer.ts";
import type { OnnxPrecision } from "./onnx-weights.ts";
import { writeOnnx } from "./onnx-writer.ts";
import { PRECISIONS, SEED, SIZES, type Precision } from "./workload.ts";

export const ONNX_PRECISIONS: OnnxPrecision[] = ["F32", "Q4_0"];

/** Makes whatever is not in the folder yet. */
export function makeModels(folder: string, tell: (line: string) => void): void {
  mkdirSync(folder, { recursive: true });
  const stamp = join(folder, "stamp");
  const wanted = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  for (const precision of PRECISIONS) {
    tell(`writing the model in ${precision}`);
    writeGguf(join(folder, ggufName(precision)), SIZES, SEED, precision);
  }
  for (const precision of ONNX_PRECISIONS) {
    tell(`writing the model in ${precision} as ONNX`);
    writeOnnx(join(folder, onnxName(precision)), SIZES, SEED, precision);
  }
  writeFileSync(stamp, wanted);
}

export function ggufName(precision: Precision): string {
  return `bench-${precision.toLowerCase()}.gguf`;
}

export function onnxName(precision: OnnxPrecision): string {
  return `bench-${precision.toLowerCase()}.onnx`;
}

function fingerprint(): string {
  const hash = createHash("sha256");
  const folder = dirname(fileURLToPath(import.meta.url));
  for (const source of SOURCES) hash.update(readFileSync(join(folder, source)));
  return hash.digest("hex");
}

/** Everything that decides what is in the files. */
const SOURCES = [
  "workload.ts",
  "weights.ts",
  "quantise.ts",
  "gguf-writer.ts",
  "onnx-schema.ts",
  "onnx-weights.ts",
  "onnx-writer.ts",
];
