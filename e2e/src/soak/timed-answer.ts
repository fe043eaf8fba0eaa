/** An answer, and when each piece of it was seen on the phone that asked. */

import type { AskOptions } from "../../../web/src/engine/messages.ts";
import type { Turn } from "../../../web/src/engine/view.ts";
import type { Phone } from "../phone.ts";
import { within } from "../waiting.ts";

/** Greedy, as the golden answers are. */
export function greedy(tokens: number): AskOptions {
  return { temperature: 0, topK: 0, topP: 1, seed: 1, maxTokens: tokens };
}

/** What the page notes; times are of its own clock, in milliseconds. */
interface Notes {
  ask: number;
  times: number[];
}

export interface TimedTurn {
  turn: Turn;
  times: number[];
}

/** Asks, and notes from now on when the text grows. */
export async function startTimed(phone: Phone, prompt: string, how: AskOptions): Promise<void> {
  await phone.page.evaluate(
    ([text, options]) => {
      const { engine } = window.lingualinked;
      const notes: Notes = { ask: engine.ask(text, options), times: [] };
      let length = 0;
      const forget = engine.view.subscribe((view) => {
        const turn = view.turns.find(({ ask }) => ask === notes.ask);
        if (turn && turn.text.length > length) notes.times.push(performance.now());
        length = turn?.text.length ?? length;
        if (turn?.state === "done" || turn?.state === "failed") queueMicrotask(() => forget());
      });
      Object.assign(window, { notes });
    },
    [prompt, how] as const,
  );
}

/** Waits for so many pieces, or the end. Returns how many there are, and the time on the page's clock. */
export function pieces(phone: Phone, count: number): Promise<{ seen: number; now: number }> {
  const seen = phone.page.evaluate(async (wanted) => {
    const { notes } = window as unknown as { notes: Notes };
    await window.lingualinked.engine.view.when(
      (view) =>
        notes.times.length >= wanted ||
        view.turns.some(({ ask, state }) => ask === notes.ask && (state === "done" || state === "failed")),
    );
    return { seen: notes.times.length, now: performance.now() };
  }, count);
  return within(ANSWER_LIMIT_MS, `${phone.name}: token ${count}`, seen);
}

export function finishTimed(phone: Phone): Promise<TimedTurn> {
  const found = phone.page.evaluate(async () => {
    const { notes } = window as unknown as { notes: Notes };
    return { turn: await window.lingualinked.engine.finished(notes.ask), times: notes.times };
  });
  return within(ANSWER_LIMIT_MS, `${phone.name}: the whole answer`, found);
}

/** The longest pause that ended after `since`, in seconds; null where no piece came after it. */
export function longestGapSecs(times: number[], since: number): number | null {
  const gaps = times.slice(1).flatMap((time, at) => (time > since ? time - (times[at] as number) : []));
  return gaps.length > 0 ? Math.max(...gaps) / 1000 : null;
}

const ANSWER_LIMIT_MS = 120_000;
