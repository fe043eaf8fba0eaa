/** What the runs of `cargo xtask bench assignment` come to. */

import type { Assignment } from "../../../web/src/engine/messages.ts";
import { median, paired } from "./report.ts";

/** One assignment in one round. */
export interface Run {
  round: number;
  assignment: Assignment;
  /** A token, on average over the timed answer. */
  measured_secs: number;
  predicted_secs: number;
  /** Of each stage, in ring order. */
  modules: number[];
  tokens: number[];
}

/** The last line of the bench's output. */
export interface AssignmentResult {
  /** Measured time of a token in equal parts over that of the plan in the same round: more than 1 is faster. */
  gains: number[];
  /** The median of the gains. */
  gain: number | null;
  /** The median over all runs of predicted over measured time, and over those of each assignment. */
  predicted_over_measured: number | null;
  predicted_over_measured_best: number | null;
  predicted_over_measured_equal: number | null;
  /** Whether every run gave the same tokens. */
  same_tokens: boolean;
  runs: Omit<Run, "tokens">[];
}

export function assignmentResult(runs: Run[]): AssignmentResult {
  const gains = pairs(runs).map(([best, equal]) => equal.measured_secs / best.measured_secs);
  const errors = (some: Run[]): number | null =>
    median(some.map((run) => run.predicted_secs / run.measured_secs));
  const [first] = runs;
  return {
    gains,
    gain: median(gains),
    predicted_over_measured: errors(runs),
    predicted_over_measured_best: errors(of(runs, "best")),
    predicted_over_measured_equal: errors(of(runs, "equal")),
    same_tokens: runs.every((run) => String(run.tokens) === String(first?.tokens)),
    runs: runs.map(({ tokens: _, ...run }) => run),
  };
}

export function assignmentTable(runs: Run[]): string {
  const lines = pairs(runs).map(([best, equal]) => {
    const gain = (equal.measured_secs / best.measured_secs).toFixed(2);
    return `round ${best.round}: plan ${cells(best)}; equal parts ${cells(equal)}; gain ${gain}`;
  });
  const found = assignmentResult(runs);
  return [
    ...lines,
    `median gain ${ratio(found.gain)}`,
    `median of predicted over measured ${ratio(found.predicted_over_measured)}: of the plan ${ratio(found.predicted_over_measured_best)}, of equal parts ${ratio(found.predicted_over_measured_equal)}`,
    found.same_tokens ? "all runs gave the same tokens" : "the runs did NOT give the same tokens",
  ].join("\n");
}

function cells({ modules, measured_secs, predicted_secs }: Run): string {
  const [measured, predicted] = [measured_secs, predicted_secs].map((secs) => (1000 * secs).toFixed(1));
  return `${modules.join("+")} modules, ${measured} ms (predicted ${predicted})`;
}

function pairs(runs: Run[]): [Run, Run][] {
  return paired(runs, ({ assignment }) => assignment === "best");
}

function of(runs: Run[], assignment: Assignment): Run[] {
  return runs.filter((run) => run.assignment === assignment);
}

function ratio(value: number | null): string {
  return value?.toFixed(2) ?? "-";
}
