/** LinguaLinked itself: one phone alone in a room, through the page that people use. */

import { readdirSync } from "node:fs";
import { join } from "node:path";

import type { Browser } from "playwright-core";

import { launchChromium } from "../chromium.ts";
import { PhoneError, type Phone } from "../phone.ts";
import { prepare } from "../room.ts";
import type { Server } from "../server.ts";
import { settings } from "../settings.ts";
import type { Answer, Contender, Running } from "./contender.ts";
import { DECODED_TOKENS, type Precision } from "./workload.ts";

export function ours(server: Server, file: string, precision: Precision): Contender {
  const assets = join(settings().app, "assets");
  const wasm = readdirSync(assets).filter((name) => name.endsWith(".wasm"));
  return {
    engine: "LinguaLinked",
    backend: "WebGPU",
    precision,
    decodedTokens: DECODED_TOKENS,
    wasm: wasm.map((name) => join(assets, name)),
    open: (started) => openRoom(server, file, started),
  };
}

async function openRoom(
  server: Server,
  file: string,
  started: (browser: Browser) => Promise<void>,
): Promise<Running> {
  const phone = await launchChromium("Pixel 7");
  const browser = phone.page.context().browser();
  if (!browser) throw new Error("the phone's page belongs to no browser");
  await started(browser);
  const loadSecs = await loadOn(phone, server, file);
  return {
    page: phone.page,
    loadSecs,
    answer: (prompt, tokens) => answerOn(phone, prompt, tokens),
  };
}

/** Starts a room and taps through it until it can answer. Returns how many seconds that took. */
export async function loadOn(phone: Phone, server: Server, file: string): Promise<number> {
  const before = performance.now();
  await phone.start(server.url, { model: `/models/${file}`, pledge: "share:1.3:1", name: "bench" });
  await prepare([phone]);
  return (performance.now() - before) / 1000;
}

export interface OwnAnswer extends Answer {
  promptTokens: number;
}

/** Waits in the page: looking at it again and again would take the processor from what is measured. */
export async function answerOn(phone: Phone, prompt: string, maxTokens: number): Promise<OwnAnswer> {
  const how = { temperature: 0, topK: 0, topP: 1, seed: 1, maxTokens };
  const turn = await phone.page.evaluate(
    ([text, options]) => {
      const { engine } = window.lingualinked;
      return engine.finished(engine.ask(text, options));
    },
    [prompt, how] as const,
  );
  if (turn.state === "failed") throw new PhoneError(phone.name, "answering", turn.error);
  if (turn.state !== "done")
    throw new Error(`${phone.name}: the answer is ${turn.state} where it should be over`);
  const { tokens, ttftSecs, promptTokens, completionTokens, decodeTokensPerSec } = turn.stats;
  return { tokens, ttftSecs, promptTokens, decodeSecs: (completionTokens - 1) / decodeTokensPerSec };
}
