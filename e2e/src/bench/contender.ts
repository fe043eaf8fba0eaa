/** What is measured: an engine, where it runs, and the precision of its weights. */

import type { Browser, Page } from "playwright-core";

import type { Precision } from "./workload.ts";

export interface Contender {
  engine: "LinguaLinked" | "wllama" | "ONNX Runtime Web";
  backend: "WebGPU" | "CPU, 2 threads";
  precision: Precision;
  /** How many tokens it decodes after each prompt. */
  decodedTokens: number;
  /** The files of wasm that its page loads. */
  wasm: string[];
  /**
   * Opens its page in a browser of its own and loads the model, until it can answer. `started` hears of the browser
   * before that, and closes it.
   */
  open(started: (browser: Browser) => Promise<void>): Promise<Running>;
}

/** A contender that can answer. */
export interface Running {
  page: Page;
  /** From the empty page until it could answer. */
  loadSecs: number;
  /** Goes on from the prompt with the likeliest tokens, exactly so many. */
  answer(prompt: string, tokens: number): Promise<Answer>;
}

export interface Answer {
  tokens: number[];
  /** From the question to its first token. */
  ttftSecs: number;
  /** From the first token to the last. */
  decodeSecs: number;
}

export function nameOf({ engine, backend, precision }: Contender): string {
  return `${engine} ${precision} on ${backend}`;
}
