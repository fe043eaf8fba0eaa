/**
 * wllama, which is llama.cpp in wasm, as the bench drives it: `load` and `answer`. Plain JavaScript, because it is
 * handed to the browser as it stands.
 */

import { Wllama } from "/peers/@wllama/wllama/esm/index.js";

const THREADS = 2;
/** What llama.cpp says when it puts layers on a GPU. */
const ON_GPU = /offloaded (\d+)\/\d+ layers to GPU/;

let engine;

/** Returns how many layers are on the GPU: where it cannot use it, it says nothing and takes the CPU. */
export async function load({ model, contextTokens, usesGpu }) {
  const lines = [];
  const note = (...words) => void lines.push(words.join(" "));
  engine = new Wllama(
    { default: "/peers/@wllama/wllama/esm/wasm/wllama.wasm" },
    { logger: { debug: note, log: note, warn: note, error: note } },
  );
  await engine.loadModelFromUrl(new URL(model, location.href).href, {
    n_ctx: contextTokens,
    n_threads: THREADS,
    n_parallel: 1,
    n_gpu_layers: usesGpu ? 99_999 : 0,
    useCache: false,
  });
  if (engine.getNumThreads() !== THREADS) throw new Error(`wllama has ${engine.getNumThreads()} threads`);
  const layers = lines.map((line) => ON_GPU.exec(line)?.[1]).find((found) => found !== undefined);
  return { gpuLayers: Number(layers ?? 0), log: lines };
}

export async function answer({ prompt, tokens }) {
  const asked = performance.now();
  const stamps = [];
  let text = "";
  const stream = await engine.createCompletion({
    prompt,
    max_tokens: tokens,
    temperature: 0,
    ignore_eos: true,
    cache_prompt: false,
    stream: true,
  });
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.text ?? "";
    if (piece === "") continue;
    stamps.push(performance.now());
    text += piece;
  }
  const [first = asked, last = first] = [stamps[0], stamps.at(-1)];
  return { text, ttftSecs: (first - asked) / 1000, decodeSecs: (last - first) / 1000 };
}
