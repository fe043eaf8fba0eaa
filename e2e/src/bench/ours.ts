/** LinguaLinked itself: one phone alone in a room, through the page that people use. */

import { launchChromium } from "../chromium.ts";
import type { Phone } from "../phone.ts";
import { prepare } from "../room.ts";
import type { Server } from "../server.ts";
import type { Answer, Contender, Running } from "./contender.ts";
import { DECODED_TOKENS, type Precision } from "./workload.ts";

export function ours(server: Server, file: string, precision: Precision): Contender {
  return {
    engine: "LinguaLinked",
    backend: "WebGPU",
    precision,
    decodedTokens: DECODED_TOKENS,
    open: () => openRoom(server, file),
  };
}

async function openRoom(server: Server, file: string): Promise<Running> {
  const phone = await launchChromium("Pixel 7");
  try {
    const started = performance.now();
    await phone.start(server.url, { model: `/models/${file}`, pledge: "share:1.3:1", name: "bench" });
    await prepare([phone]);
    return {
      page: phone.page,
      loadSecs: (performance.now() - started) / 1000,
      answer: (prompt, tokens) => answer(phone, prompt, tokens),
      close: () => phone.close(),
    };
  } catch (cause) {
    await phone.close();
    throw cause;
  }
}

async function answer(phone: Phone, prompt: string, maxTokens: number): Promise<Answer> {
  const how = { temperature: 0, topK: 0, topP: 1, seed: 1, maxTokens };
  const { stats } = await phone.answer(await phone.ask(prompt, how), STALL_LIMIT_MS);
  const decodeSecs = maxTokens > 1 ? (maxTokens - 1) / stats.decodeTokensPerSec : 0;
  return { tokens: stats.tokens, ttftSecs: stats.ttftSecs, decodeSecs };
}

/** Longer than any limit of the bench, which ends it first. */
const STALL_LIMIT_MS = 600_000;
