/** What a phone takes of memory, from outside: its browser's processes, the page's heap, the wasm. */

import { readFileSync } from "node:fs";

import type { CDPSession } from "playwright-core";

import type { Phone } from "../phone.ts";

/** In bytes. What is of files, and so shared by all browsers of a machine, is left out of the processes. */
export interface MemoryFound {
  /** All processes of the browser. */
  total: number;
  /** Those that run pages: heaps, wasm, the document. */
  renderers: number;
  /** The one that has the GPU's buffers, where the processor is the GPU. */
  gpu: number;
  page_heap: number;
  wasm: number;
}

export class PhoneMemory {
  private constructor(
    private readonly browser: CDPSession,
    private readonly page: CDPSession,
    private readonly phone: Phone,
  ) {}

  /** Of a phone whose wasm is noted. */
  static async of(phone: Phone): Promise<PhoneMemory> {
    const browser = phone.page.context().browser();
    if (!browser) throw new Error(`${phone.name}: the page belongs to no browser`);
    const page = await phone.page.context().newCDPSession(phone.page);
    return new PhoneMemory(await browser.newBrowserCDPSession(), page, phone);
  }

  async look(): Promise<MemoryFound> {
    const wasm = await wasmBytes(this.phone);
    const { usedSize: page_heap } = await this.page.send("Runtime.getHeapUsage");
    const { processInfo } = await this.browser.send("SystemInfo.getProcessInfo");
    const sum = (test: (type: string) => boolean): number =>
      processInfo.filter(({ type }) => test(type)).reduce((bytes, { id }) => bytes + ownBytes(id), 0);
    const [renderers, gpu] = [sum((type) => type === "renderer"), sum((type) => type === "GPU")];
    return { total: sum(() => true), renderers, gpu, page_heap, wasm };
  }
}

/** Before the page is opened: from then on its workers note which memories of wasm they have. */
export function noteWasm({ page }: Phone): void {
  page.on("worker", (worker) => {
    const noted = worker.evaluate(() => {
      const memories = new Set<WebAssembly.Memory>();
      Object.assign(globalThis, { memories });
      const { prototype } = WebAssembly.Memory;
      const real = Object.getOwnPropertyDescriptor(prototype, "buffer")?.get;
      Object.defineProperty(prototype, "buffer", {
        get(this: WebAssembly.Memory) {
          memories.add(this);
          return real?.call(this) as ArrayBuffer;
        },
      });
    });
    // A worker may end at once.
    noted.catch(() => {});
  });
}

/** Of all workers. */
async function wasmBytes({ page }: Phone): Promise<number> {
  const bytes = page.workers().map((worker) =>
    worker.evaluate(() => {
      const { memories = new Set() } = globalThis as { memories?: Set<WebAssembly.Memory> };
      return [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
    }),
  );
  return (await Promise.all(bytes)).reduce((sum, of) => sum + of, 0);
}

/** What a process has that is of no file, its part of what it shares; nothing of one that has ended. */
function ownBytes(process: number): number {
  try {
    const rollup = readFileSync(`/proc/${process}/smaps_rollup`, "utf8");
    const kilobytes = (key: string): number =>
      Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(rollup)?.[1]);
    return (kilobytes("Pss_Anon") + kilobytes("Pss_Shmem")) * 1024;
  } catch {
    return 0;
  }
}
