/**
 * Writes the model as ONNX, built as exporters for ONNX Runtime build a Qwen3: grouped query attention that rotates and
 * keeps the cache, norms that add the residual, 4-bit products by blocks, and logits of the last position alone.
 */

import { writeFileSync } from "node:fs";

import {
  encodeModel,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from "./onnx-schema.ts";
import { floats, matrix, rotaryTables, type OnnxPrecision } from "./onnx-weights.ts";
import { makeWeights } from "./weights.ts";
import type { Sizes } from "./workload.ts";

export function writeOnnx(file: string, sizes: Sizes, seed: number, precision: OnnxPrecision): void {
  writeFileSync(file, encodeModel(new Builder(sizes, seed, precision).build()));
}

const MICROSOFT = "com.microsoft";

class Builder {
  readonly #nodes: OnnxNode[] = [];
  readonly #weights: OnnxTensor[] = [];
  readonly #matrices = new Map<string, { rows: number; columns: number }>();

  constructor(
    private readonly sizes: Sizes,
    seed: number,
    private readonly precision: OnnxPrecision,
  ) {
    for (const { name, rows, columns, values } of makeWeights(sizes, seed)) {
      if (rows === 1) this.#weights.push(floats(name, [columns], values));
      else this.#addMatrix(name, { rows, columns }, values);
    }
    this.#weights.push(...rotaryTables(sizes));
  }

  build(): OnnxGraph {
    const { layers, vocab } = this.sizes;
    const cache = Array.from({ length: layers }, (_, layer) =>
      ["key", "value"].map((part) => `${layer}.${part}`),
    );
    this.#lengths();
    this.#node("Gather", ["embedding", "input_ids"], ["hidden.0"]);
    this.#norm(["hidden.0", "blk.0.attn_norm.weight"], "normed.0");
    for (let layer = 0; layer < layers; layer++) this.#layer(layer);
    this.#node("Gather", [`normed.${layers}`, "last"], ["final"], { axis: 1 });
    this.#product("final", "token_embd.weight", "logits");
    return {
      nodes: this.#nodes,
      weights: this.#weights,
      inputs: [
        { name: "input_ids", element: "int64", dims: [1, "sequence"] },
        { name: "attention_mask", element: "int64", dims: [1, "total"] },
        ...cache.flat().map((part) => this.#cached(`past_key_values.${part}`, "past")),
      ],
      outputs: [
        { name: "logits", element: "float32", dims: [1, vocab] },
        ...cache.flat().map((part) => this.#cached(`present.${part}`, "total")),
      ],
    };
  }

  /** What attention wants to know of the cache: the last position, and the number of all. */
  #lengths(): void {
    this.#integers("one", [1], [1]);
    this.#integers("second", [], [1]);
    this.#integers("last", [], [-1]);
    this.#node("ReduceSum", ["attention_mask", "one"], ["positions"], { keepdims: 0 });
    this.#node("Sub", ["positions", "one"], ["last_position"]);
    this.#node("Cast", ["last_position"], ["seqlens_k"], { to: 6 });
    this.#node("Shape", ["attention_mask"], ["mask_shape"]);
    this.#node("Gather", ["mask_shape", "second"], ["mask_length"]);
    this.#node("Cast", ["mask_length"], ["total_length"], { to: 6 });
    const { heads, kvHeads, headDim } = this.sizes;
    this.#integers("each_head", [3], [0, -1, headDim]);
    this.#integers("all_queries", [3], [0, -1, heads * headDim]);
    this.#integers("all_keys", [3], [0, -1, kvHeads * headDim]);
  }

  #layer(layer: number): void {
    const [block, at, normed] = [`blk.${layer}`, (name: string) => `${name}.${layer}`, `normed.${layer}`];
    for (const part of ["q", "k", "v"]) this.#product(normed, `${block}.attn_${part}.weight`, at(part));
    this.#headNorm(at("q"), `${block}.attn_q_norm.weight`, "all_queries");
    this.#headNorm(at("k"), `${block}.attn_k_norm.weight`, "all_keys");
    this.#attention(layer);
    this.#product(at("attended"), `${block}.attn_output.weight`, at("output"));
    this.#residual(at("hidden"), at("output"), `${block}.ffn_norm.weight`, at("ffn_normed"), at("middle"));
    for (const part of ["gate", "up"])
      this.#product(at("ffn_normed"), `${block}.ffn_${part}.weight`, at(part));
    this.#node("Sigmoid", [at("gate")], [at("gate_sigmoid")]);
    this.#node("Mul", [at("gate"), at("gate_sigmoid")], [at("activated")]);
    this.#node("Mul", [at("activated"), at("up")], [at("gated")]);
    this.#product(at("gated"), `${block}.ffn_down.weight`, at("down"));
    const [next, isLast] = [layer + 1, layer + 1 === this.sizes.layers];
    const norm = isLast ? "output_norm.weight" : `blk.${next}.attn_norm.weight`;
    this.#residual(at("middle"), at("down"), norm, `normed.${next}`, `hidden.${next}`);
  }

  #attention(layer: number): void {
    const { heads, kvHeads, headDim } = this.sizes;
    const past = ["key", "value"].map((part) => `past_key_values.${layer}.${part}`);
    const present = ["key", "value"].map((part) => `present.${layer}.${part}`);
    const inputs = [`q.${layer}.normed`, `k.${layer}.normed`, `v.${layer}`, ...past];
    this.#node(
      "GroupQueryAttention",
      [...inputs, "seqlens_k", "total_length", "cos_cache", "sin_cache"],
      [`attended.${layer}`, ...present],
      { num_heads: heads, kv_num_heads: kvHeads, scale: [1 / Math.sqrt(headDim)], do_rotary: 1 },
      MICROSOFT,
    );
  }

  /** Of each head apart, so that a head is a row meanwhile. */
  #headNorm(from: string, weight: string, shape: string): void {
    this.#node("Reshape", [from, "each_head"], [`${from}.heads`]);
    this.#norm([`${from}.heads`, weight], `${from}.heads.normed`);
    this.#node("Reshape", [`${from}.heads.normed`, shape], [`${from}.normed`]);
  }

  #norm(inputs: string[], to: string): void {
    const attributes = { axis: -1, epsilon: [this.sizes.epsilon] as [number], stash_type: 1 };
    this.#node("SimplifiedLayerNormalization", inputs, [to], attributes);
  }

  /** Adds `added` to the hidden state, and norms the sum. */
  #residual(hidden: string, added: string, weight: string, normed: string, sum: string): void {
    const attributes = { epsilon: [this.sizes.epsilon] as [number] };
    const outputs = [normed, "", "", sum];
    this.#node("SkipSimplifiedLayerNormalization", [hidden, added, weight], outputs, attributes, MICROSOFT);
  }

  #product(from: string, weight: string, to: string): void {
    const { rows: N, columns: K } = this.#matrices.get(weight) ?? { rows: 0, columns: 0 };
    if (this.precision === "F32") return this.#node("MatMul", [from, weight], [to]);
    const attributes = { K, N, bits: 4, block_size: 32, accuracy_level: 4 };
    this.#node("MatMulNBits", [from, weight, `${weight}.scales`], [to], attributes, MICROSOFT);
  }

  #addMatrix(name: string, size: { rows: number; columns: number }, values: Float32Array): void {
    this.#matrices.set(name, size);
    const { tensors, rounded } = matrix(name, size, values, this.precision);
    this.#weights.push(...tensors);
    if (name === "token_embd.weight")
      this.#weights.push(floats("embedding", [size.rows, size.columns], rounded));
  }

  #integers(name: string, dims: number[], values: number[]): void {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.#weights.push({ name, element: "int64", dims, bytes });
  }

  #cached(name: string, length: string): OnnxValue {
    return { name, element: "float32", dims: [1, this.sizes.kvHeads, length, this.sizes.headDim] };
  }

  #node(
    op: string,
    inputs: string[],
    outputs: string[],
    attributes: NonNullable<OnnxNode["attributes"]> = {},
    domain = "",
  ): void {
    this.#nodes.push({ op, inputs, outputs, attributes, domain });
  }
}
