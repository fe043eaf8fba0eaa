/** What the stories of `cargo xtask soak --only kills` come to. */

import { median } from "../bench/report.ts";
import type { Fault } from "./story.ts";

/** One line of the output. */
export interface Told {
  seed: number;
  room: string;
  prompt: string;
  fault: Fault;
  /** The phone was to be lost when so many tokens had been seen, and was when these had. */
  token: number;
  seen_tokens: number | null;
  /** What the phones that asked and were lost did. */
  asker: Part | null;
  lost: Part | null;
  /** Of the plan before it. */
  stages: string | null;
  /** Whether others held what the lost phone ran; null where it ran nothing. */
  had_copy: boolean | null;
  /** The longest time between two pieces of the answer from then on. */
  gap_secs: number | null;
  /** Of the plan after it. */
  cause: string | null;
  pause_secs: number | null;
  /** Whether text and tokens are the golden ones. */
  equal: boolean;
  /** The answer was complete before the phone was lost, so that nothing was tried. */
  missed: boolean;
  story_secs: number;
  failure: string | null;
}

export type Part = "header" | "worker" | "tail" | "idle phone";

interface Gaps {
  count: number;
  median_secs: number | null;
  longest_secs: number | null;
}

/** The last line of the output. */
export interface KillsResult {
  stories: number;
  /** Seeds. */
  failed: number[];
  missed: number[];
  with_copy: Gaps;
  without_copy: Gaps;
  /** The lost phone had nothing to do. */
  idle: Gaps;
  killed: Gaps;
  frozen: Gaps;
  story_secs: number | null;
}

export function killsResult(told: Told[]): KillsResult {
  const seeds = (test: (one: Told) => boolean): number[] => told.filter(test).map(({ seed }) => seed);
  const gaps = (test: (one: Told) => boolean): Gaps => {
    const found = told.filter(test).flatMap(({ gap_secs }) => gap_secs ?? []);
    const longest_secs = found.length > 0 ? Math.max(...found) : null;
    return { count: found.length, median_secs: median(found), longest_secs };
  };
  return {
    stories: told.length,
    failed: seeds(({ failure }) => failure !== null),
    missed: seeds(({ missed }) => missed),
    with_copy: gaps(({ had_copy }) => had_copy === true),
    without_copy: gaps(({ had_copy }) => had_copy === false),
    idle: gaps(({ had_copy }) => had_copy === null),
    killed: gaps(({ fault, had_copy }) => fault === "killed" && had_copy !== null),
    frozen: gaps(({ fault, had_copy }) => fault === "frozen" && had_copy !== null),
    story_secs: median(told.map(({ story_secs }) => story_secs)),
  };
}
