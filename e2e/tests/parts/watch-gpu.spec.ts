import { expect, test } from "@playwright/test";

import { launchChromium } from "../../src/chromium.ts";
import { dispatchesOf, gpuMillis, gpuReadBackMs, pipelinesOf } from "../../src/gpu.ts";
import type { Phone } from "../../src/phone.ts";
import { withSite } from "./site.ts";

const page = `<!doctype html><title>GPU</title><script type="module" src="/page.js"></script>`;

/** Sends two messages before the worker can have loaded, one of them with a port, and keeps all answers. */
const pageScript = `
  const worker = new Worker(new URL("/worker.js", location.href), { type: "module", name: "lingualinked" });
  const { port1, port2 } = new MessageChannel();
  globalThis.heard = [];
  worker.onmessage = ({ data }) => heard.push(data);
  worker.onerror = ({ message }) => heard.push(message);
  port1.onmessage = ({ data }) => heard.push(data);
  globalThis.work = (what) => worker.postMessage(what);
  worker.postMessage("first");
  worker.postMessage({ port: port2 }, [port2]);
`;

/** Loads slowly, answers every message in order, and works on the GPU when told. */
const workerScript = `
  import { label } from "./part.js";
  await new Promise((resolve) => setTimeout(resolve, 300));
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  const module = device.createShaderModule({ code: "@compute @workgroup_size(1) fn main() {}" });
  const descriptor = { layout: "auto", compute: { module, entryPoint: "main" } };
  const pipeline = device.createComputePipeline(descriptor);
  await device.createComputePipelineAsync(descriptor);
  addEventListener("message", ({ data }) => {
    if (data.port) return data.port.postMessage("through the port");
    if (data === "fetch") {
      const request = new Request("/part.js", { headers: { range: "bytes=0-5" } });
      return Promise.all([fetch(request), fetch("/part.js")])
        .then((answers) => Promise.all(answers.map((answer) => answer.text())))
        .then((texts) => postMessage(texts.map((text) => text.length).join()));
    }
    if (typeof data === "string") return postMessage(label + data);
    for (let n = 0; n < data.buffers; n++) device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (let n = 0; n < data.dispatches; n++) pass.dispatchWorkgroups(1);
    pass.end();
    device.queue.submit([encoder.finish()]);
    postMessage("worked");
  });
`;

test("everything that the worker asks of WebGPU is counted, under the server's own policy", async () => {
  const files = {
    "index.html": page,
    "page.js": pageScript,
    "worker.js": workerScript,
    "part.js": `export const label = "got ";`,
  };
  await withSite(files, async (server) => {
    const phone = await launchChromium("Pixel 7");
    try {
      await phone.watchGpu();
      await phone.open(server.url);
      await expect.poll(() => heard(phone)).toHaveLength(2);
      expect((await heard(phone)).sort()).toEqual(["got first", "through the port"]);
      const before = await phone.gpuCounts();
      expect(before).toMatchObject({
        createBuffer: 0,
        createComputePipeline: 1,
        createComputePipelineAsync: 1,
      });
      expect(dispatchesOf(before)).toBe(0);
      await phone.page.evaluate(() =>
        (globalThis as unknown as { work: (what: object) => void }).work({ buffers: 3, dispatches: 7 }),
      );
      await expect.poll(() => heard(phone)).toContain("worked");
      await phone.page.evaluate(() =>
        (globalThis as unknown as { work: (what: string) => void }).work("fetch"),
      );
      await expect.poll(() => heard(phone)).toContain(`6,${files["part.js"].length}`);
      const after = await phone.gpuCounts();
      expect(after.createBuffer).toBe(3);
      expect(dispatchesOf(after)).toBe(7);
      expect(pipelinesOf(after)).toBe(2);
      expect(after.submit).toBe(1);
      const millis = await gpuMillis(phone.page);
      expect(millis.createComputePipeline + millis.createComputePipelineAsync).toBeGreaterThan(0);
      expect(millis.mapAsync).toBe(0);
      expect(await gpuReadBackMs(phone.page)).toBeGreaterThan(0);
      expect(phone.uncaught).toEqual([]);
    } finally {
      await phone.close();
    }
  });
});

test("a worker module that does not load is an error of the worker", async () => {
  const files = { "index.html": page, "page.js": pageScript, "worker.js": `import "./missing.js";` };
  await withSite(files, async (server) => {
    const phone = await launchChromium("Pixel 7");
    try {
      await phone.watchGpu();
      await phone.open(server.url);
      await expect.poll(() => heard(phone)).toEqual([expect.stringContaining("imported module")]);
      expect(phone.uncaught).toHaveLength(1);
    } finally {
      await phone.close();
    }
  });
});

function heard(phone: Phone): Promise<string[]> {
  return phone.page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
}
