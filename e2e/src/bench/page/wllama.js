/**
 * wllama, which is llama.cpp in wasm, as the bench drives it: `load` and `answer`. Plain JavaScript, because it is
 * handed to the browser as it stands.
 */

import { Wllama } from "/peers/@wllama/wllama/esm/index.js";

const THREADS = 2;
/** What llama.cpp says of each device that it puts weights on. */
const WEIGHTS_ON = /^load_tensors:\s+(\S+) model buffer size/gm;

let engine;

/** Returns where the weights are: where it cannot use the GPU, it takes the CPU, and only its log tells. */
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
  const devices = [...lines.join("\n").matchAll(WEIGHTS_ON)].map(([, device]) => device);
  if (devices.length === 0) throw new Error("llama.cpp did not say where it put the weights");
  return { devices };
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
