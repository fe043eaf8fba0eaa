/** One contender in one round: a fresh browser, the model loaded, two prompts answered. */

import type { Browser } from "playwright-core";

import { firstLine, within } from "../waiting.ts";
import type { Answer, Contender, Running } from "./contender.ts";
import { MemoryWatch } from "./memory.ts";
import {
  CHECKED_PROMPT_TOKENS,
  CHECKED_TOKENS,
  LONG_PROMPT_TOKENS,
  promptOf,
  SHORT_PROMPT_TOKENS,
} from "./workload.ts";

export const MEASURES = [
  "load_secs",
  "prefill_128",
  "decode_128",
  "prefill_1024",
  "decode_1024",
  "peak_bytes",
] as const;
/** Prefill and decode in tokens a second, after prompts of so many tokens. */
export type Measure = (typeof MEASURES)[number];

/** What a round asks of a contender. */
export const STEPS = ["load", "short", "long"] as const;
export type Step = (typeof STEPS)[number];

export interface Sample {
  contender: Contender;
  round: number;
  values: Partial<Record<Measure, number>>;
  /** The likeliest tokens after the prompts: one that all contenders are checked with, and those that are timed. */
  answers: Partial<Record<Step, number[]>>;
  /** Steps that failed, and why. */
  failures: Partial<Record<Step, string>>;
  /** Seconds of each step that did not fail. */
  secs: Partial<Record<Step, number>>;
}

export async function measure(contender: Contender, round: number, steps: Step[]): Promise<Sample> {
  const sample: Sample = { contender, round, values: {}, answers: {}, failures: {}, secs: {} };
  let browser: Browser | undefined;
  let memory: MemoryWatch | undefined;
  let running: Running | undefined;
  const started = async (opened: Browser): Promise<void> => {
    browser = opened;
    memory = await MemoryWatch.start(opened);
  };
  for (const step of steps) {
    const before = performance.now();
    try {
      if (step === "load") running = await load(contender, started, sample);
      else if (running) await answer(running, step, sample);
      sample.secs[step] = (performance.now() - before) / 1000;
    } catch (cause) {
      sample.failures[step] = firstLine(cause);
      // Perhaps it is still at work on it.
      break;
    }
  }
  const peak = memory?.stop();
  if (peak && running) sample.values.peak_bytes = peak;
  await within(CLOSE_LIMIT_MS, "closing a browser", browser?.close() ?? Promise.resolve());
  return sample;
}

/** With a first answer, so that what is compiled at first use is compiled. It is not timed. */
async function load(
  contender: Contender,
  started: (browser: Browser) => Promise<void>,
  sample: Sample,
): Promise<Running> {
  const running = await within(LIMIT_MS, "loading", contender.open(started));
  sample.values.load_secs = running.loadSecs;
  const question = promptOf(CHECKED_PROMPT_TOKENS, 0);
  const { tokens } = await within(LIMIT_MS, "a first answer", running.answer(question, CHECKED_TOKENS));
  sample.answers.load = tokens;
  return running;
}

async function answer(running: Running, step: "short" | "long", sample: Sample): Promise<void> {
  const { contender, values } = sample;
  const prompt = step === "short" ? SHORT_PROMPT_TOKENS : LONG_PROMPT_TOKENS;
  const asked = running.answer(promptOf(prompt, prompt), contender.decodedTokens);
  const what = `${prompt} tokens and ${contender.decodedTokens} more`;
  const { tokens, ttftSecs, decodeSecs }: Answer = await within(LIMIT_MS, what, asked);
  if (tokens.length !== contender.decodedTokens)
    throw new Error(`it answered ${tokens.length} tokens where ${contender.decodedTokens} were asked for`);
  sample.answers[step] = tokens;
  values[step === "short" ? "prefill_128" : "prefill_1024"] = prompt / ttftSecs;
  values[step === "short" ? "decode_128" : "decode_1024"] = (tokens.length - 1) / decodeSecs;
}

/** Of loading, and of each answer. */
const LIMIT_MS = 150_000;
const CLOSE_LIMIT_MS = 60_000;
