/**
 * ONNX Runtime Web as the bench drives it: `load` and `answer`. The cache stays where the model runs, as in
 * transformers.js. Plain JavaScript, because it is handed to the browser as it stands.
 */

const DIST = "/peers/onnxruntime-web/dist";
const THREADS = 2;

let ort, session, shape;

export async function load({ model, sizes, usesGpu }) {
  ort = await import(`${DIST}/${usesGpu ? "ort.webgpu.bundle.min.mjs" : "ort.wasm.bundle.min.mjs"}`);
  ort.env.wasm.wasmPaths = `${DIST}/`;
  ort.env.wasm.numThreads = THREADS;
  shape = sizes;
  session = await ort.InferenceSession.create(model, {
    executionProviders: [usesGpu ? "webgpu" : "wasm"],
    ...(usesGpu && {
      preferredOutputLocation: Object.fromEntries(cached("present").map((name) => [name, "gpu-buffer"])),
    }),
  });
}

export async function answer({ prompt, tokens }) {
  const asked = performance.now();
  const [stamps, found] = [[], []];
  let past = Object.fromEntries(cached("past_key_values").map((name) => [name, emptyCache()]));
  let [next, position] = [prompt, 0];
  while (found.length < tokens) {
    const results = await session.run({ ...inputs(next, position), ...past });
    position += next.length;
    const token = likeliest(await results.logits.getData());
    stamps.push(performance.now());
    found.push(token);
    next = [token];
    for (const tensor of Object.values(past)) tensor.dispose();
    past = Object.fromEntries(
      cached("present").map((name) => [name.replace("present", "past_key_values"), results[name]]),
    );
  }
  for (const tensor of Object.values(past)) tensor.dispose();
  return {
    tokens: found,
    ttftSecs: (stamps[0] - asked) / 1000,
    decodeSecs: (stamps.at(-1) - stamps[0]) / 1000,
  };
}

function inputs(tokens, position) {
  const total = position + tokens.length;
  const integers = (values) =>
    new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  return { input_ids: integers(tokens), attention_mask: integers(Array(total).fill(1)) };
}

function cached(kind) {
  return Array.from({ length: shape.layers }, (_, layer) => [
    `${kind}.${layer}.key`,
    `${kind}.${layer}.value`,
  ]).flat();
}

function emptyCache() {
  return new ort.Tensor("float32", new Float32Array(0), [1, shape.kvHeads, 0, shape.headDim]);
}

function likeliest(logits) {
  let best = 0;
  for (let token = 1; token < logits.length; token++) if (logits[token] > logits[best]) best = token;
  return best;
}
