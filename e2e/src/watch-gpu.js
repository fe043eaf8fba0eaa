/**
 * Counts and times what the engine asks of WebGPU, from outside, and can take its device away: runs in the page before
 * its own scripts, and puts a few lines before the engine worker's module. They wrap the counted methods and only then import the real module, so that even
 * the first call of the wasm is seen. Plain JavaScript, because it is handed to the browser as it stands.
 */
(() => {
  const ENGINE_WORKER = "lingualinked";
  const CHANNEL = "gpu-watch";
  const ANSWER_LIMIT_MS = 30_000;

  /** Runs in the worker. Must not use anything from around it. */
  function prelude(channelName, address) {
    // The worker's own address is the blob's, against which no path can be resolved.
    const [realFetch, RealRequest] = [globalThis.fetch, globalThis.Request];
    const resolved = (input) => (input instanceof RealRequest ? input : new URL(input, address));
    globalThis.Request = class Request extends RealRequest {
      constructor(input, init) {
        super(resolved(input), init);
      }
    };
    globalThis.fetch = (input, init) => realFetch(resolved(input), init);
    const [counts, millis] = [{}, {}];
    const watched = {
      GPUDevice: [
        "createBuffer",
        "createComputePipeline",
        "createComputePipelineAsync",
        "createBindGroup",
        "createCommandEncoder",
      ],
      GPUCommandEncoder: ["beginComputePass", "copyBufferToBuffer", "finish"],
      GPUComputePassEncoder: [
        "setPipeline",
        "setBindGroup",
        "dispatchWorkgroups",
        "dispatchWorkgroupsIndirect",
        "end",
      ],
      GPUQueue: ["writeBuffer", "submit"],
      GPUBuffer: ["mapAsync", "getMappedRange", "unmap"],
    };
    for (const [type, methods] of Object.entries(watched)) {
      const prototype = globalThis[type]?.prototype;
      for (const method of methods) {
        [counts[method], millis[method]] = [0, 0];
        const real = prototype?.[method];
        if (!real) continue;
        prototype[method] = function (...args) {
          counts[method] += 1;
          const called = performance.now();
          const note = () => void (millis[method] += performance.now() - called);
          const result = real.apply(this, args);
          if (result instanceof Promise) result.then(note, note);
          else note();
          return result;
        };
      }
    }
    const devices = [];
    const adapters = globalThis.GPUAdapter?.prototype;
    const realRequest = adapters?.requestDevice;
    if (realRequest) {
      adapters.requestDevice = async function (...args) {
        const device = await realRequest.apply(this, args);
        devices.push(device);
        return device;
      };
    }
    const channel = new BroadcastChannel(channelName);
    // The median of reading as many bytes as the logits of 4,096 tokens, after nothing but their copy.
    const readBack = async (device) => {
      const [size, times] = [16_384, []];
      const from = device.createBuffer({ size, usage: GPUBufferUsage.COPY_SRC });
      const to = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
      while (times.length < 21) {
        const started = performance.now();
        const encoder = device.createCommandEncoder();
        encoder.copyBufferToBuffer(from, 0, to, 0, size);
        device.queue.submit([encoder.finish()]);
        await to.mapAsync(GPUMapMode.READ);
        to.unmap();
        times.push(performance.now() - started);
      }
      return times.sort((a, b) => a - b)[10];
    };
    channel.onmessage = async ({ data }) => {
      if (!("ask" in data)) return;
      if (data.what === "loss") devices.forEach((device) => device.destroy());
      const readBackMs = data.what === "reading" ? await readBack(devices.at(-1)) : null;
      channel.postMessage({ answer: data.ask, counts, millis, readBackMs });
    };
    // What the page sends before the real module listens is kept and told again.
    const early = [];
    const keep = (event) => {
      event.stopImmediatePropagation();
      early.push(event);
    };
    addEventListener("message", keep);
    return () => {
      removeEventListener("message", keep);
      for (const { data, ports } of early) dispatchEvent(new MessageEvent("message", { data, ports }));
    };
  }

  const RealWorker = globalThis.Worker;
  globalThis.Worker = class Worker extends RealWorker {
    constructor(url, options) {
      if (options?.name !== ENGINE_WORKER) {
        super(url, options);
        return;
      }
      const address = JSON.stringify(new URL(url, document.baseURI).href);
      const source = `const release = (${prelude})(${JSON.stringify(CHANNEL)}, ${address});
        import(${address}).then(release, (cause) => setTimeout(() => { throw cause; }));`;
      super(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), options);
    }
  };

  const channel = new BroadcastChannel(CHANNEL);
  let asked = 0;
  const askWorker = (what) =>
    new Promise((resolve, reject) => {
      const ask = ++asked;
      const timer = setTimeout(
        () => reject(new Error("the engine worker told no GPU counts")),
        ANSWER_LIMIT_MS,
      );
      channel.addEventListener("message", function hear({ data }) {
        if (data.answer !== ask) return;
        clearTimeout(timer);
        channel.removeEventListener("message", hear);
        resolve(data);
      });
      channel.postMessage({ ask, what });
    });
  globalThis.gpuCounts = () => askWorker("counts").then(({ counts }) => counts);
  globalThis.gpuMillis = () => askWorker("counts").then(({ millis }) => millis);
  globalThis.gpuReadBackMs = () => askWorker("reading").then(({ readBackMs }) => readBackMs);
  globalThis.loseGpu = () => askWorker("loss").then(({ counts }) => counts);
})();
