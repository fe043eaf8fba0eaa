/**
 * The index of a GGUF file, as far as a test needs it: which bytes belong to which tensor, and which module a tensor
 * is part of. Written against the GGUF specification and apart from the engine's reader, so that one checks the other.
 */

import { readFileSync } from "node:fs";

import type { Span } from "./spans.ts";

export interface Tensor extends Span {
  name: string;
}

export interface GgufIndex {
  /** The file's metadata; arrays are left out, only their length is kept. */
  metadata: Map<string, string | number | bigint | boolean | { length: number }>;
  tensors: Tensor[];
  /** Where the front ends: everything a phone must read to know where its tensors are. */
  frontBytes: number;
  /** Number of transformer blocks. */
  layers: number;
  alignment: number;
}

export function readGguf(file: string): GgufIndex {
  const reader = new Reader(readFileSync(file));
  if (reader.text(4) !== "GGUF") throw new Error(`${file} is not a GGUF file`);
  const version = reader.u32();
  if (version < 2 || version > 3) throw new Error(`${file}: GGUF version ${version} is unknown`);
  const tensorCount = Number(reader.u64());
  const fieldCount = Number(reader.u64());
  const metadata: GgufIndex["metadata"] = new Map();
  for (let n = 0; n < fieldCount; n++) metadata.set(reader.string(), reader.value(reader.u32()));
  const entries = Array.from({ length: tensorCount }, () => reader.entry());
  const alignment = Number(metadata.get("general.alignment") ?? 32);
  const frontBytes = Math.ceil(reader.at / alignment) * alignment;
  const tensors = entries.map(({ name, start, end }) => ({
    name,
    start: frontBytes + start,
    end: frontBytes + end,
  }));
  const layers = Number(metadata.get(`${metadata.get("general.architecture")}.block_count`));
  return { metadata, tensors, frontBytes, layers, alignment };
}

/** The tensors that a stage of the modules `start..end` needs. Modules: embed, attn.0, mlp.0, .., head. */
export function tensorsOfStage(index: GgufIndex, start: number, end: number): Tensor[] {
  // That of a classifier is its own, too.
  const hasOutput = index.tensors.some(({ name }) => /^(cls\.)?output\.weight$/.test(name));
  return index.tensors.filter(({ name }) =>
    modulesOf(name, index.layers, hasOutput).some((module) => start <= module && module < end),
  );
}

function modulesOf(name: string, layers: number, hasOutput: boolean): number[] {
  const head = 2 * layers + 1;
  // A tied embedding is also the head's matrix.
  if (name === "token_embd.weight") return hasOutput ? [0] : [0, head];
  if (/^(token_embd_norm|position_embd)\./.test(name)) return [0];
  if (/^(output(_norm)?|cls(\.output)?)\./.test(name)) return [head];
  // What rotary frequencies are divided by: every attention needs it.
  if (name === "rope_freqs.weight") return Array.from({ length: layers }, (_, layer) => 1 + 2 * layer);
  const [, block, part] = /^blk\.(\d+)\.(attn|post_attention|ffn|post_ffw)_/.exec(name) ?? [];
  if (block === undefined) throw new Error(`a tensor of no known module: ${name}`);
  return [1 + 2 * Number(block) + (part?.includes("ff") ? 1 : 0)];
}

/** Bytes of `elements` weights, by the type's number: elements and bytes of its smallest block. */
const BLOCKS = new Map<number, [elements: number, bytes: number]>([
  [0, [1, 4]], // F32
  [1, [1, 2]], // F16
  [2, [32, 18]], // Q4_0
  [8, [32, 34]], // Q8_0
  [12, [256, 144]], // Q4_K
  [13, [256, 176]], // Q5_K
  [14, [256, 210]], // Q6_K
  [30, [1, 2]], // BF16
]);

class Reader {
  at = 0;
  readonly #view: DataView;

  constructor(private readonly bytes: Buffer) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  text(length: number): string {
    return this.bytes.toString("utf8", this.at, (this.at += length));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  string(): string {
    return this.text(Number(this.u64()));
  }

  /** A metadata value of the type with this number. */
  value(type: number): string | number | bigint | boolean | { length: number } {
    switch (type) {
      case 0:
        return this.#view.getUint8(this.#advance(1));
      case 1:
        return this.#view.getInt8(this.#advance(1));
      case 2:
        return this.#view.getUint16(this.#advance(2), true);
      case 3:
        return this.#view.getInt16(this.#advance(2), true);
      case 4:
        return this.u32();
      case 5:
        return this.#view.getInt32(this.#advance(4), true);
      case 6:
        return this.#view.getFloat32(this.#advance(4), true);
      case 7:
        return this.#view.getUint8(this.#advance(1)) !== 0;
      case 8:
        return this.string();
      case 9:
        return this.#array();
      case 10:
        return this.u64();
      case 11:
        return this.#view.getBigInt64(this.#advance(8), true);
      case 12:
        return this.#view.getFloat64(this.#advance(8), true);
      default:
        throw new Error(`a metadata type that is not in the specification: ${type}`);
    }
  }

  /** A tensor's entry; the span starts at the tensor data's first byte. */
  entry(): Tensor {
    const name = this.string();
    const sizes = Array.from({ length: this.u32() }, () => Number(this.u64()));
    const type = this.u32();
    const block = BLOCKS.get(type);
    if (!block) throw new Error(`${name} has type ${type}, which this reader does not know`);
    const elements = sizes.reduce((product, size) => product * size, 1);
    const start = Number(this.u64());
    return { name, start, end: start + (elements / block[0]) * block[1] };
  }

  #array(): { length: number } {
    const type = this.u32();
    const length = Number(this.u64());
    for (let n = 0; n < length; n++) this.value(type);
    return { length };
  }

  #advance(bytes: number): number {
    const at = this.at;
    this.at += bytes;
    return at;
  }
}
