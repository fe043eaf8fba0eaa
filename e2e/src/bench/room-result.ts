/** What the runs of `cargo xtask bench room` come to. Every ratio is of one round: time without over time with. */

import type { BalanceRun } from "./balance.ts";
import { median } from "./report.ts";
import type { ThroughputRun } from "./throughput.ts";

/** The last line of the bench's output. */
export interface RoomResult {
  /** Four requests one after the other over the same four at once; the median. */
  throughput_ratio: number | null;
  throughput_ratios: number[];
  /** An answer left alone over one that was balanced, from the slow-down on; the median. */
  balance_ratio: number | null;
  balance_ratios: number[];
  /** How long the answer stood still for a switch; the median. */
  pause_secs: number | null;
  /** Whether every answer had the tokens of its twin. */
  same_tokens: boolean;
  throughput: ThroughputRun[];
  balance: Omit<BalanceRun, "tokens">[];
}

export function roomResult(throughput: ThroughputRun[], balance: BalanceRun[]): RoomResult {
  const throughputs = throughput.map((run) => run.apart_secs / run.together_secs);
  const pairs = balance
    .filter((run) => run.balances)
    .flatMap((on): [BalanceRun, BalanceRun][] => {
      const off = balance.find((run) => !run.balances && run.round === on.round);
      return off ? [[on, off]] : [];
    });
  const balances = pairs.map(([on, off]) => off.secs / on.secs);
  const pauses = balance.flatMap((run) => run.pause_secs ?? []);
  const [first] = balance;
  return {
    throughput_ratio: median(throughputs),
    throughput_ratios: throughputs,
    balance_ratio: median(balances),
    balance_ratios: balances,
    pause_secs: median(pauses),
    same_tokens:
      throughput.every((run) => run.same_tokens) &&
      balance.every((run) => String(run.tokens) === String(first?.tokens)),
    throughput,
    balance: balance.map(({ tokens: _, ...run }) => run),
  };
}

export function roomTable(result: RoomResult): string {
  const times = (value: number | null): string => value?.toFixed(2) ?? "-";
  return [
    `four requests at once: ${times(result.throughput_ratio)} times as many tokens a second as one after the other`,
    `one of three phones 3 times as slow: ${times(result.balance_ratio)} times as fast where cuts move`,
    `a switch takes ${times(result.pause_secs)} s`,
    result.same_tokens ? "every answer had the same tokens as its twin" : "the answers' tokens DIFFER",
  ].join("\n");
}
