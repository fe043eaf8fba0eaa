/** Writes the model as GGUF, version 3: metadata, an index of the tensors, the tensors. */

import { closeSync, openSync, writeSync } from "node:fs";

import { encode } from "./quantise.ts";
import { makeWeights, type Weights } from "./weights.ts";
import { END_TOKEN, vocabulary, type Precision, type Sizes } from "./workload.ts";

export function writeGguf(file: string, sizes: Sizes, seed: number, precision: Precision): void {
  const tensors = [...makeWeights(sizes, seed)].map((weights) => encoded(weights, precision));
  const front = padded(Buffer.concat([header(tensors.length, metadata(sizes, precision)), index(tensors)]));
  const descriptor = openSync(file, "w");
  try {
    for (const part of [front, ...tensors.map(({ bytes }) => padded(bytes))]) writeWhole(descriptor, part);
  } finally {
    closeSync(descriptor);
  }
}

interface Tensor extends Weights {
  precision: Precision;
  bytes: Uint8Array;
}

/** Norms stay as they are. */
function encoded(weights: Weights, precision: Precision): Tensor {
  const own = weights.rows === 1 ? "F32" : precision;
  return { ...weights, precision: own, bytes: encode(weights.values, own) };
}

type Field = [key: string, type: number, value: Buffer];

function metadata(sizes: Sizes, precision: Precision): Field[] {
  const tokens = vocabulary(sizes.vocab);
  const kinds = tokens.map((_, token) => (token === END_TOKEN ? CONTROL : NORMAL));
  return [
    text("general.architecture", "qwen3"),
    text("general.name", `bench ${precision}`),
    u32("qwen3.block_count", sizes.layers),
    u32("qwen3.context_length", sizes.contextTokens),
    u32("qwen3.embedding_length", sizes.hidden),
    u32("qwen3.feed_forward_length", sizes.ffn),
    u32("qwen3.attention.head_count", sizes.heads),
    u32("qwen3.attention.head_count_kv", sizes.kvHeads),
    u32("qwen3.attention.key_length", sizes.headDim),
    u32("qwen3.attention.value_length", sizes.headDim),
    f32("qwen3.attention.layer_norm_rms_epsilon", sizes.epsilon),
    f32("qwen3.rope.freq_base", sizes.ropeTheta),
    text("tokenizer.ggml.model", "gpt2"),
    text("tokenizer.ggml.pre", "qwen2"),
    list("tokenizer.ggml.tokens", STRING, tokens.map(string)),
    list("tokenizer.ggml.token_type", I32, kinds.map(u32Bytes)),
    list("tokenizer.ggml.merges", STRING, []),
    u32("tokenizer.ggml.eos_token_id", END_TOKEN),
    ["tokenizer.ggml.add_bos_token", BOOL, Buffer.from([0])],
  ];
}

function header(tensors: number, fields: Field[]): Buffer {
  const written = fields.flatMap(([key, type, value]) => [string(key), u32Bytes(type), value]);
  return Buffer.concat([
    Buffer.from("GGUF"),
    u32Bytes(3),
    u64Bytes(tensors),
    u64Bytes(fields.length),
    ...written,
  ]);
}

function index(tensors: Tensor[]): Buffer {
  let offset = 0;
  const entries = tensors.map(({ name, rows, columns, precision, bytes }) => {
    const shape = rows === 1 ? [columns] : [columns, rows];
    const start = offset;
    offset += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
    const sizes = shape.map(u64Bytes);
    return Buffer.concat([
      string(name),
      u32Bytes(shape.length),
      ...sizes,
      u32Bytes(TYPES[precision]),
      u64Bytes(start),
    ]);
  });
  return Buffer.concat(entries);
}

function padded(bytes: Uint8Array): Buffer {
  const rest = (ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT;
  return Buffer.concat([bytes, Buffer.alloc(rest)]);
}

function writeWhole(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
}

function text(key: string, value: string): Field {
  return [key, STRING, string(value)];
}

function u32(key: string, value: number): Field {
  return [key, U32, u32Bytes(value)];
}

function f32(key: string, value: number): Field {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return [key, F32, bytes];
}

function list(key: string, type: number, values: Buffer[]): Field {
  return [key, ARRAY, Buffer.concat([u32Bytes(type), u64Bytes(values.length), ...values])];
}

function string(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([u64Bytes(bytes.length), bytes]);
}

function u32Bytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64Bytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** The specification's numbers: of metadata types, tensor types and kinds of tokens. */
const [U32, I32, F32, BOOL, STRING, ARRAY] = [4, 5, 6, 7, 8, 9] as const;
const TYPES: Record<Precision, number> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8 };
const [NORMAL, CONTROL] = [1, 3] as const;
const ALIGNMENT = 32;
