/**
 * Counts and times what the engine asks of WebGPU, from outside, and can take its device or its memory away: runs in the page before
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
    // Once weights come, a stage is being loaded: what is measured before that is done with zeros.
    const [FRONT_BYTES, LARGE_BYTES] = [64 << 10, 64 << 10];
    let [isShort, isRefused] = [false, false];
    globalThis.fetch = (input, init) => {
      const [, start] = /^bytes=(\d+)/.exec(input.headers?.get("range") ?? "") ?? [];
      isRefused ||= isShort && Number(start) > FRONT_BYTES;
      return realFetch(resolved(input), init);
    };
    /** Large buffers are made larger than the device allows, so that the browser itself says that there is no memory. */
    const refused = (device, method, args) =>
      isRefused && method === "createBuffer" && args[0].size > LARGE_BYTES
        ? [{ ...args[0], size: device.limits.maxBufferSize }]
        : args;
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
          const result = real.apply(this, refused(this, method, args));
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
      adapters.requestDevice = async function (wanted = {}) {
        const timestamps = ["timestamp-query"].filter((name) => this.features.has(name));
        const requiredFeatures = [...new Set([...(wanted.requiredFeatures ?? []), ...timestamps])];
        const device = await realRequest.call(this, { ...wanted, requiredFeatures });
        devices.push(device);
        return device;
      };
    }
    const kernels = timeKernels();
    // What the engine measures itself, on the browser's timeline.
    const spans = {};
    const note = ({ name, duration }) => void (spans[name] = (spans[name] ?? 0) + duration);
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(note));
    observer.observe({ entryTypes: ["measure"] });
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
      if (data.what === "kernels") kernels.begin();
      if (data.what === "shortage") isShort = true;
      if (data.what === "plenty") isShort = isRefused = false;
      const readBackMs = data.what === "reading" ? await readBack(devices.at(-1)) : null;
      channel.postMessage({ answer: data.ask, counts, millis, spans, kernels: kernels.millis, readBackMs });
    };
    /** Once it has begun, every dispatch has a pass of its own between two timestamps. */
    function timeKernels() {
      const MOST_DISPATCHES = 1024;
      const [millis, logs, waiting] = [{}, new WeakMap(), []];
      let hasBegun = false;
      const wrap = (prototype, method, make) => {
        if (prototype) prototype[method] = make(prototype[method]);
      };
      wrap(globalThis.GPUDevice?.prototype, "createCommandEncoder", (real) => {
        return function (...args) {
          const encoder = real.apply(this, args);
          if (hasBegun) logs.set(encoder, { device: this, labels: [], querySet: null });
          return encoder;
        };
      });
      wrap(globalThis.GPUCommandEncoder?.prototype, "beginComputePass", (real) => {
        return function (descriptor) {
          const log = logs.get(this);
          return log ? passes(this, real, log) : real.call(this, descriptor);
        };
      });
      wrap(globalThis.GPUCommandEncoder?.prototype, "finish", (real) => {
        return function (...args) {
          const log = logs.get(this);
          if (log?.querySet) waiting.push(resolved(this, log));
          return real.apply(this, args);
        };
      });
      wrap(globalThis.GPUQueue?.prototype, "submit", (real) => {
        return function (...args) {
          real.apply(this, args);
          waiting.splice(0).forEach(read);
        };
      });
      return { millis, begin: () => void (hasBegun = true) };

      /** Stands for a compute pass. */
      function passes(encoder, begin, log) {
        const [type, count] = ["timestamp", 2 * MOST_DISPATCHES];
        log.querySet ??= log.device.createQuerySet({ type, count });
        const groups = [];
        let pipeline = null;
        return {
          setPipeline: (next) => void (pipeline = next),
          setBindGroup: (at, ...group) => void (groups[at] = group),
          dispatchWorkgroups: (...size) => {
            const first = 2 * log.labels.length;
            const writes = { beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
            const pass = begin.call(encoder, { timestampWrites: { querySet: log.querySet, ...writes } });
            pass.setPipeline(pipeline);
            groups.forEach((group, at) => pass.setBindGroup(at, ...group));
            pass.dispatchWorkgroups(...size);
            pass.end();
            log.labels.push(pipeline.label);
          },
          end: () => {},
        };
      }

      function resolved(encoder, { device, labels, querySet }) {
        const size = 16 * labels.length;
        const from = device.createBuffer({
          size,
          usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
        });
        const to = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
        encoder.resolveQuerySet(querySet, 0, 2 * labels.length, from, 0);
        encoder.copyBufferToBuffer(from, 0, to, 0, size);
        return { labels, to, spare: [from, querySet] };
      }

      async function read({ labels, to, spare }) {
        await to.mapAsync(GPUMapMode.READ);
        const nanos = new BigUint64Array(to.getMappedRange());
        labels.forEach((label, at) => {
          millis[label] = (millis[label] ?? 0) + Number(nanos[2 * at + 1] - nanos[2 * at]) / 1e6;
        });
        for (const used of [to, ...spare]) used.destroy();
      }
    }

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
  globalThis.engineSpans = () => askWorker("spans").then(({ spans }) => spans);
  globalThis.timeKernels = () => askWorker("kernels").then(() => undefined);
  globalThis.kernelMillis = () => askWorker("counts").then(({ kernels }) => kernels);
  globalThis.gpuReadBackMs = () => askWorker("reading").then(({ readBackMs }) => readBackMs);
  globalThis.runShortOfMemory = () => askWorker("shortage").then(() => undefined);
  globalThis.haveMemory = () => askWorker("plenty").then(() => undefined);
  globalThis.loseGpu = () => askWorker("loss").then(({ counts }) => counts);
})();
