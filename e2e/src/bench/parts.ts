/**
 * Where a token's time goes, of ours: by a clock around every call of WebGPU, by what the engine puts on the browser's
 * timeline, and in an answer of its own by the GPU's clock around every kernel.
 */

import { launchChromium } from "../chromium.ts";
import {
  engineSpans,
  gpuMillis,
  gpuReadBackMs,
  kernelMillis,
  timeKernels,
  type EngineSpans,
  type GpuMillis,
} from "../gpu.ts";
import type { Phone } from "../phone.ts";
import type { Server } from "../server.ts";
import { firstLine, within } from "../waiting.ts";
import { answerOn, loadOn } from "./ours.ts";
import { DECODED_TOKENS, promptOf, SHORT_PROMPT_TOKENS, type Precision } from "./workload.ts";

/** Milliseconds of a decoded token. The clocks cost time too, so that the whole is more than a token usually takes. */
export interface TokenParts {
  precision: Precision;
  token_ms: number;
  /** In calls that make, fill and submit commands. */
  encode_ms: number;
  /** From asking for the result until it can be read, without the way back: the kernels. */
  gpu_ms: number;
  /** The way back: as long as reading takes when there is nothing to compute. */
  read_back_ms: number;
  /** Choosing the token from its logits. */
  sampler_ms: number;
  /** The token's text. */
  detokenizer_ms: number;
  /** What is left: the session, messages to the page. */
  rest_ms: number;
  /** Of a prompt's token, in the tokenizer. */
  tokenizer_ms: number;
  /** Of the GPU's time, by kernel, the longest first; none where the GPU has no clock. */
  kernels: { name: string; ms: number }[];
}

/** Or why they are not known. */
export type PartsRow = TokenParts | { precision: Precision; failure: string };

export async function tokenParts(server: Server, file: string, precision: Precision): Promise<PartsRow> {
  try {
    return await within(LIMIT_MS, "a token's parts", watchAnswers(server, file, precision));
  } catch (cause) {
    return { precision, failure: firstLine(cause) };
  }
}

async function watchAnswers(server: Server, file: string, precision: Precision): Promise<TokenParts> {
  const phone = await launchChromium("Pixel 7");
  try {
    await phone.watchGpu();
    await loadOn(phone, server, file);
    await watched(phone, FEW_TOKENS);
    // Both have the prompt and the first tokens in common, so their difference is what the others cost.
    const [few, many] = [await watched(phone, FEW_TOKENS), await watched(phone, FEW_TOKENS + DECODED_TOKENS)];
    const perToken = (part: keyof Spent): number => (many[part] - few[part]) / DECODED_TOKENS;
    const [token_ms, encode_ms, waits_ms] = [perToken("total"), perToken("calls"), perToken("waits")];
    const [sampler_ms, detokenizer_ms] = [perToken("sampler"), perToken("detokenizer")];
    const read_back_ms = await gpuReadBackMs(phone.page);
    const gpu_ms = waits_ms - read_back_ms;
    const rest_ms = token_ms - encode_ms - waits_ms - sampler_ms - detokenizer_ms;
    const tokenizer_ms = await tokenizerMillis(phone);
    const whole = { token_ms, encode_ms, gpu_ms, read_back_ms, sampler_ms, detokenizer_ms, rest_ms };
    return { precision, ...whole, tokenizer_ms, kernels: await kernelParts(phone) };
  } finally {
    await phone.close();
  }
}

/** Milliseconds of an answer: all of it, in calls of WebGPU, until what it computed could be read, and the engine's own. */
interface Spent {
  total: number;
  calls: number;
  waits: number;
  sampler: number;
  detokenizer: number;
}

async function watched(phone: Phone, tokens: number): Promise<Spent> {
  const [before, ownBefore] = [await gpuMillis(phone.page), await engineSpans(phone.page)];
  const { decodeSecs } = await answerOn(phone, promptOf(SHORT_PROMPT_TOKENS, 1), tokens);
  const [after, ownAfter] = [await gpuMillis(phone.page), await engineSpans(phone.page)];
  const own = (name: keyof EngineSpans): number => (ownAfter[name] ?? 0) - (ownBefore[name] ?? 0);
  const methods = Object.keys(after) as (keyof GpuMillis)[];
  const spent = methods.map((method) => after[method] - before[method]);
  const waits = after.mapAsync - before.mapAsync;
  const calls = spent.reduce((sum, one) => sum + one, 0) - waits;
  const [sampler, detokenizer] = [own("sampler"), own("detokenizer")];
  return { total: decodeSecs * 1000, calls, waits, sampler, detokenizer };
}

async function tokenizerMillis(phone: Phone): Promise<number> {
  const before = await engineSpans(phone.page);
  await answerOn(phone, promptOf(SHORT_PROMPT_TOKENS, 1), 1);
  const after = await engineSpans(phone.page);
  return ((after.tokenizer ?? 0) - (before.tokenizer ?? 0)) / SHORT_PROMPT_TOKENS;
}

/** The same difference as for the other parts, by the GPU's own clock. */
async function kernelParts(phone: Phone): Promise<TokenParts["kernels"]> {
  await timeKernels(phone.page);
  const marks: Record<string, number>[] = [await kernelMillis(phone.page)];
  for (const tokens of [FEW_TOKENS, FEW_TOKENS + DECODED_TOKENS]) {
    await answerOn(phone, promptOf(SHORT_PROMPT_TOKENS, 1), tokens);
    marks.push(await kernelMillis(phone.page));
  }
  const [start, middle, end] = marks as [
    Record<string, number>,
    Record<string, number>,
    Record<string, number>,
  ];
  const perToken = (name: string): number => {
    const [a, b, c] = [start, middle, end].map((mark) => mark[name] ?? 0) as [number, number, number];
    return (c - b - (b - a)) / DECODED_TOKENS;
  };
  const kernels = Object.keys(end).map((name) => ({ name, ms: perToken(name) }));
  return kernels.sort((left, right) => right.ms - left.ms);
}

const FEW_TOKENS = 8;
const LIMIT_MS = 150_000;
