/** The engines beside ours, each in an empty page of a browser of its own. */

import { join } from "node:path";

import type { Browser, Page } from "playwright-core";

import { launchBrowser } from "../chromium.ts";
import type { Answer, Contender, Running } from "./contender.ts";
import type { OnnxPrecision } from "./onnx-weights.ts";
import { PEERS, type PeerSite } from "./peer-site.ts";
import {
  answerTokens,
  DECODED_TOKENS,
  FEW_DECODED_TOKENS,
  SIZES,
  tokensOf,
  type Precision,
} from "./workload.ts";

type Backend = Contender["backend"];
type Started = (browser: Browser) => Promise<void>;

export function wllama(site: PeerSite, file: string, precision: Precision, backend: Backend): Contender {
  const usesGpu = backend === "WebGPU";
  const open = async (started: Started): Promise<Running> => {
    const options = { model: `/models/${file}`, contextTokens: SIZES.contextTokens, usesGpu };
    const { page, loaded, loadSecs } = await openPage(site, "wllama", options, started);
    const { devices } = loaded as { devices: string[] };
    if (usesGpu && devices.every((device) => device.startsWith("CPU")))
      throw new Error("it found no WebGPU that it can use and took the CPU without saying so");
    const answer = async (prompt: string, tokens: number): Promise<Answer> => {
      const { text, ...times } = (await ask(page, { prompt, tokens })) as Omit<Answer, "tokens"> & {
        text: string;
      };
      return { ...times, tokens: answerTokens(text) };
    };
    return { page, loadSecs, answer };
  };
  const wasm = [join(PEERS, "@wllama/wllama/esm/wasm/wllama.wasm")];
  return { engine: "wllama", backend, precision, decodedTokens: DECODED_TOKENS, wasm, open };
}

export function onnxRuntime(
  site: PeerSite,
  file: string,
  precision: OnnxPrecision,
  backend: Backend,
): Contender {
  const usesGpu = backend === "WebGPU";
  const open = async (started: Started): Promise<Running> => {
    const options = { model: `/models/${file}`, sizes: SIZES, usesGpu };
    const { page, loadSecs } = await openPage(site, "onnxruntime", options, started);
    const answer = async (prompt: string, tokens: number): Promise<Answer> =>
      (await ask(page, { prompt: tokensOf(prompt), tokens })) as Answer;
    return { page, loadSecs, answer };
  };
  const decodedTokens = usesGpu ? FEW_DECODED_TOKENS : DECODED_TOKENS;
  const module = `ort-wasm-simd-threaded${usesGpu ? ".asyncify" : ""}.wasm`;
  const wasm = [join(PEERS, "onnxruntime-web/dist", module)];
  return { engine: "ONNX Runtime Web", backend, precision, decodedTokens, wasm, open };
}

interface OpenPage {
  page: Page;
  loaded: unknown;
  loadSecs: number;
}

/** Loads one of the modules in `page/`, and with it the model. */
async function openPage(
  site: PeerSite,
  module: string,
  options: object,
  started: Started,
): Promise<OpenPage> {
  const browser = await launchBrowser();
  await started(browser);
  const page = await browser.newPage();
  const before = performance.now();
  await page.goto(site.url);
  const loaded = await page.evaluate(
    async ([path, how]) => {
      window.contender = (await import(path)) as Window["contender"];
      return window.contender.load(how);
    },
    [`/page/${module}.js`, options] as const,
  );
  return { page, loaded, loadSecs: (performance.now() - before) / 1000 };
}

function ask(page: Page, question: object): Promise<unknown> {
  return page.evaluate((what) => window.contender.answer(what), question);
}
