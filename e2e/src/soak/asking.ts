/** Questions, and whether their answers are the golden ones. */

import { bundled, type Golden } from "../golden.ts";
import { within } from "../waiting.ts";
import type { Seat } from "./soak-room.ts";
import { greedy } from "./timed-answer.ts";

export interface Asked {
  /** Complete and equal to the golden answers. */
  answered: number;
  tokens: number;
  /** Of those, how many were under way while a phone came or went. */
  went_on: number;
  /** Asked by a phone that was taken away before the end. */
  askers_gone: number;
  longest_secs: number;
}

export class Asking {
  readonly asked: Asked = { answered: 0, tokens: 0, went_on: 0, askers_gone: 0, longest_secs: 0 };
  readonly #answers = bundled().all.filter(({ prompt }) => prompt !== "");
  #happened = 0;

  constructor(private readonly random: () => number) {}

  /** Asks one question and waits for its end. An error where the answer is lost or another one. */
  async ask(seat: Seat): Promise<void> {
    const golden = this.#answers[Math.floor(this.#answers.length * this.random())] as Golden;
    const [since, happened, absences] = [performance.now(), this.#happened, seat.absences];
    const isGone = (): boolean => !seat.isHere || seat.absences > absences;
    const answered = await this.#answer(seat, golden).catch((cause: unknown) => {
      if (isGone()) return null;
      throw cause;
    });
    if (answered === null) {
      this.asked.askers_gone += 1;
      return;
    }
    this.asked.answered += 1;
    this.asked.tokens += answered;
    this.asked.went_on += this.#happened > happened ? 1 : 0;
    this.asked.longest_secs = Math.max(this.asked.longest_secs, (performance.now() - since) / 1000);
  }

  /** A phone has come or gone. */
  somethingHappened(): void {
    this.#happened += 1;
  }

  inWords(): string {
    const { answered, went_on, askers_gone, longest_secs } = this.asked;
    return `${answered} answers, ${went_on} of them went on after something, ${askers_gone} askers gone, the longest ${longest_secs.toFixed(1)} s`;
  }

  /** How many tokens it had. */
  async #answer({ phone }: Seat, golden: Golden): Promise<number> {
    const finished = phone.page.evaluate(
      ([prompt, how]) => {
        const { engine } = window.lingualinked;
        return engine.finished(engine.ask(prompt, how));
      },
      [golden.prompt, greedy(golden.tokens.length)] as const,
    );
    const what = `${phone.name}: the answer to ${JSON.stringify(golden.prompt)}`;
    const turn = await within(ANSWER_LIMIT_MS, what, finished);
    if (turn.state !== "done") {
      const why = turn.state === "failed" ? `${turn.error.message} (${turn.error.code})` : "it did not end";
      throw new LostError(`${what} is lost: ${why}`);
    }
    if (turn.text !== golden.text || String(turn.stats.tokens) !== String(golden.tokens))
      throw new LostError(`${what} is another one: ${JSON.stringify(turn.text)}`);
    return golden.tokens.length;
  }
}

export class LostError extends Error {}

/** With four phones measured again in its midst. */
const ANSWER_LIMIT_MS = 240_000;
