/** What a person waits for: the first token of the bundled model, and a page that moves while it answers. */

import { launchChromium } from "../chromium.ts";
import type { Phone } from "../phone.ts";
import { prepare } from "../room.ts";
import type { Server } from "../server.ts";
import { firstLine, within } from "../waiting.ts";
import { median } from "./report.ts";

/** Medians over the runs, but the longest task of all. */
export interface Responsiveness {
  /** From opening the page, whose server has served it before, through the taps until the answer's first token. */
  first_token_secs: number;
  /** Of the page while an answer is made. */
  frames_per_sec: number;
  /** The longest time in which the page could not answer a tap; 0 where it always could within 50 ms. */
  longest_task_ms: number;
  runs: number;
}

/** Or why it is not known. */
export type ResponsivenessFound = Responsiveness | { failure: string };

type Run = Omit<Responsiveness, "runs">;

/** One phone alone in a room; a fresh browser each time. */
export async function responsiveness(
  server: Server,
  model: string,
  runs: number,
): Promise<ResponsivenessFound> {
  try {
    return await measureRuns(server, model, runs);
  } catch (cause) {
    return { failure: firstLine(cause) };
  }
}

async function measureRuns(server: Server, model: string, runs: number): Promise<Responsiveness> {
  const found: Run[] = [];
  for (let run = 0; run < runs; run++) {
    const phone = await launchChromium("Pixel 7");
    try {
      found.push(await within(LIMIT_MS, "the page's responsiveness", oneRun(phone, server, model)));
    } finally {
      await phone.close();
    }
  }
  const middle = (of: (run: Run) => number): number => median(found.map(of)) ?? Number.NaN;
  return {
    first_token_secs: middle((run) => run.first_token_secs),
    frames_per_sec: middle((run) => run.frames_per_sec),
    longest_task_ms: Math.max(...found.map((run) => run.longest_task_ms)),
    runs,
  };
}

async function oneRun(phone: Phone, server: Server, model: string): Promise<Run> {
  await phone.start(server.url, { model: `/models/${model}`, pledge: "share:1.3:1", name: "bench" });
  await prepare([phone]);
  const firstToken = phone.page.evaluate(untilFirstToken);
  await phone.type(PROMPT);
  const first_token_secs = (await firstToken) / 1000;
  await phone.page.evaluate(async () => {
    const { engine } = window.lingualinked;
    await engine.finished(engine.view.value.turns[0]?.ask ?? 0);
  });
  return { first_token_secs, ...(await phone.page.evaluate(watchAnswer, PROMPT)) };
}

/** Runs in the page. Milliseconds since it was opened when the first token is there. */
async function untilFirstToken(): Promise<number> {
  await window.lingualinked.engine.view.when(({ turns }) => (turns[0]?.text ?? "") !== "");
  return performance.now();
}

/** Runs in the page. Must not use anything from around it. */
async function watchAnswer(prompt: string): Promise<Omit<Run, "first_token_secs">> {
  const { engine } = window.lingualinked;
  let [frames, isOver, longest] = [0, false, 0];
  const observer = new PerformanceObserver((list) => {
    longest = Math.max(longest, ...list.getEntries().map(({ duration }) => duration));
  });
  observer.observe({ type: "longtask" });
  const started = performance.now();
  // Without a name, which the page would not know what to do with.
  const counted = (async () => {
    for (; !isOver; frames++) await new Promise(requestAnimationFrame);
  })();
  await engine.finished(engine.ask(prompt, { temperature: 0, topK: 0, topP: 1, seed: 1, maxTokens: 64 }));
  isOver = true;
  const secs = (performance.now() - started) / 1000;
  observer.disconnect();
  await counted;
  return { frames_per_sec: frames / secs, longest_task_ms: longest };
}

const PROMPT = "Once upon a time";
const LIMIT_MS = 120_000;
