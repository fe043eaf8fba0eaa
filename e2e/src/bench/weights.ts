/** The model's weights: random, and the same for the same seed. */

import { END_TOKEN, type Sizes } from "./workload.ts";

/** A matrix of rows and columns, or a norm's vector of one row. */
export interface Weights {
  /** As GGUF calls it. */
  name: string;
  rows: number;
  columns: number;
  values: Float32Array;
}

/** All weights, module after module; each is made when it is asked for. */
export function* makeWeights(sizes: Sizes, seed: number): Generator<Weights> {
  const draw = uniform(seed);
  const { hidden, ffn, headDim } = sizes;
  const [queries, keys] = [sizes.heads * headDim, sizes.kvHeads * headDim];
  const matrix = (name: string, rows: number, columns: number): Weights => {
    const spread = Math.sqrt(3 / columns);
    return { name: `${name}.weight`, rows, columns, values: drawn(rows * columns, () => spread * draw()) };
  };
  const norm = (name: string, columns: number, mean = 1, spread = 0.3): Weights => {
    return { name: `${name}.weight`, rows: 1, columns, values: drawn(columns, () => mean + spread * draw()) };
  };
  yield embedding(sizes, draw);
  for (let layer = 0; layer < sizes.layers; layer++) {
    const block = `blk.${layer}`;
    yield norm(`${block}.attn_norm`, hidden);
    yield matrix(`${block}.attn_q`, queries, hidden);
    yield matrix(`${block}.attn_k`, keys, hidden);
    yield matrix(`${block}.attn_v`, keys, hidden);
    yield norm(`${block}.attn_q_norm`, headDim);
    yield norm(`${block}.attn_k_norm`, headDim);
    yield matrix(`${block}.attn_output`, hidden, queries);
    yield norm(`${block}.ffn_norm`, hidden);
    yield matrix(`${block}.ffn_gate`, ffn, hidden);
    yield matrix(`${block}.ffn_up`, ffn, hidden);
    yield matrix(`${block}.ffn_down`, hidden, ffn);
  }
  // Of both signs, or else a token's own row in the tied head would make it follow itself for ever.
  yield norm("output_norm", hidden, 0, 2);
}

/** Bytes and the end are smaller, so that they are never the likeliest: answers have letters, and the asked length. */
function embedding({ vocab, hidden }: Sizes, draw: () => number): Weights {
  const values = drawn(vocab * hidden, (at) => (at < (END_TOKEN + 1) * hidden ? 0.05 : 0.2) * draw());
  return { name: "token_embd.weight", rows: vocab, columns: hidden, values };
}

function drawn(count: number, value: (at: number) => number): Float32Array {
  return Float32Array.from({ length: count }, (_, at) => value(at));
}

/** Numbers from -1 to 1: the generator mulberry32. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
