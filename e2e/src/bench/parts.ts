/** Where a token's time goes, of ours: seen from outside, by a clock around every call of WebGPU. */

import { launchChromium } from "../chromium.ts";
import { gpuMillis, gpuReadBackMs, type GpuMillis } from "../gpu.ts";
import type { Phone } from "../phone.ts";
import type { Server } from "../server.ts";
import { firstLine, within } from "../waiting.ts";
import { answerOn, loadOn } from "./ours.ts";
import {
  DECODED_TOKENS,
  LONG_PROMPT_TOKENS,
  promptOf,
  SHORT_PROMPT_TOKENS,
  type Precision,
} from "./workload.ts";

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
  /** What is left: the sampler, the tokenizer's way back to text, the session, messages to the page. */
  rest_ms: number;
  /** Of a prompt's token, in the tokenizer; with the way from the page and back. */
  tokenizer_ms: number;
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
    const read_back_ms = await gpuReadBackMs(phone.page);
    const [gpu_ms, rest_ms] = [waits_ms - read_back_ms, token_ms - encode_ms - waits_ms];
    const tokenizer_ms = await tokenizerMillis(phone);
    return { precision, token_ms, encode_ms, gpu_ms, read_back_ms, rest_ms, tokenizer_ms };
  } finally {
    await phone.close();
  }
}

/** Milliseconds of an answer: all of it, in calls of WebGPU, and until what it computed could be read. */
interface Spent {
  total: number;
  calls: number;
  waits: number;
}

async function watched(phone: Phone, tokens: number): Promise<Spent> {
  const before = await gpuMillis(phone.page);
  const { decodeSecs } = await answerOn(phone, promptOf(SHORT_PROMPT_TOKENS, 1), tokens);
  const after = await gpuMillis(phone.page);
  const methods = Object.keys(after) as (keyof GpuMillis)[];
  const spent = methods.map((method) => after[method] - before[method]);
  const waits = after.mapAsync - before.mapAsync;
  return { total: decodeSecs * 1000, calls: spent.reduce((sum, one) => sum + one, 0) - waits, waits };
}

async function tokenizerMillis(phone: Phone): Promise<number> {
  const prompt = promptOf(LONG_PROMPT_TOKENS, 1);
  await phone.check(prompt, LIMIT_MS);
  const started = performance.now();
  await phone.check(prompt, LIMIT_MS);
  return (performance.now() - started) / LONG_PROMPT_TOKENS;
}

const FEW_TOKENS = 8;
const LIMIT_MS = 150_000;
