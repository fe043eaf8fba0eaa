/** Where the figures come from, without which they say little. */

import { cpus } from "node:os";

import { launchBrowser } from "../chromium.ts";
import { within } from "../waiting.ts";
import type { PeerSite } from "./peer-site.ts";

export interface Surroundings {
  browser: string;
  /** The adapter that WebGPU gives; null where there is none. */
  adapter: string | null;
  /** Whether kernels may compute in 16 bits, which wllama's need. */
  has_shader_f16: boolean;
  processors: number;
}

export async function lookAround(site: PeerSite): Promise<Surroundings> {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(site.url);
    const found = page.evaluate(async () => {
      const adapter = await window.navigator.gpu.requestAdapter();
      if (!adapter) return { adapter: null, has_shader_f16: false };
      const { vendor, architecture, description } = adapter.info;
      const name = [vendor, architecture, description].filter(Boolean).join(" ");
      return { adapter: name, has_shader_f16: adapter.features.has("shader-f16") };
    });
    const { adapter, has_shader_f16 } = await within(LIMIT_MS, "looking for an adapter", found);
    return { browser: `Chromium ${browser.version()}`, adapter, has_shader_f16, processors: cpus().length };
  } finally {
    await browser.close();
  }
}

export function inWords({ browser, adapter, has_shader_f16, processors }: Surroundings): string {
  const kernels = has_shader_f16 ? "with" : "without";
  return `${browser}, ${processors} processors; WebGPU: ${adapter ?? "none"}, ${kernels} shader-f16`;
}

const LIMIT_MS = 60_000;
