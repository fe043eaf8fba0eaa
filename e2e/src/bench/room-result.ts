/** What the runs of `cargo xtask bench room` come to. Every ratio is of one round: time without over time with. */

import { assignmentResult, type Run } from "./assignment-result.ts";
import type { BalanceRun } from "./balance.ts";
import type { HopCost, HopParts } from "./hop.ts";
import type { ResidualRun } from "./residual.ts";
import { median, paired } from "./report.ts";
import type { ThroughputRun } from "./throughput.ts";
import { wireResults, type WireResult, type WireRun } from "./wires.ts";

/** The last line of the bench's output. */
export interface RoomResult {
  /** Four requests one after the other over the same four at once; the median. */
  throughput_ratio: number | null;
  throughput_ratios: number[];
  /** An answer left alone over one that was balanced, from the slow-down on; the median. */
  balance_ratio: number | null;
  balance_ratios: number[];
  /** Equal parts over the planner's, on phones of unequal speed; the median. */
  assignment_ratio: number | null;
  assignment_ratios: number[];
  /** Until an encoder-decoder's first token, along the ring over with skip links; the median. */
  residual_delay_ratio: number | null;
  residual_delay_ratios: number[];
  /** Of one hop over loopback, beside the stages' own work. */
  hop_overhead_millis: number;
  hop: HopCost;
  /** How long the answer stood still for a switch; the median. */
  pause_secs: number | null;
  wires: WireResult[];
  /** Whether every answer had the tokens of its twin. */
  same_tokens: boolean;
  throughput: ThroughputRun[];
  balance: Omit<BalanceRun, "tokens">[];
}

/** What was run. */
export interface RoomRuns {
  throughput: ThroughputRun[];
  balance: BalanceRun[];
  assignment: Run[];
  residual: ResidualRun[];
  wires: WireRun[];
  hop: HopCost;
}

export function roomResult(runs: RoomRuns): RoomResult {
  const { throughput, balance, assignment, residual, wires, hop } = runs;
  const throughputs = throughput.map((run) => run.apart_secs / run.together_secs);
  const balances = paired(balance, (run) => run.balances).map(([on, off]) => off.secs / on.secs);
  const pauses = balance.flatMap((run) => run.pause_secs ?? []);
  const [first] = balance;
  const assigned = assignmentResult(assignment);
  const delays = paired(residual, (run) => run.skips).map(
    ([on, off]) => off.first_token_secs / on.first_token_secs,
  );
  return {
    throughput_ratio: median(throughputs),
    throughput_ratios: throughputs,
    balance_ratio: median(balances),
    balance_ratios: balances,
    assignment_ratio: assigned.gain,
    assignment_ratios: assigned.gains,
    residual_delay_ratio: median(delays),
    residual_delay_ratios: delays,
    hop_overhead_millis: hop.hop_ms,
    hop,
    pause_secs: median(pauses),
    wires: wireResults(wires),
    same_tokens:
      assigned.same_tokens &&
      residual.every((run) => String(run.tokens) === String(residual[0]?.tokens)) &&
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
    `three phones of unequal speed: ${times(result.assignment_ratio)} times as fast as with equal parts`,
    `an encoder-decoder's first token: ${times(result.residual_delay_ratio)} times as long along the ring as with skip links`,
    `a hop takes ${times(result.hop_overhead_millis)} ms beside the stages' work: ${hopLine(result.hop.parts)} (with clocks)`,
    `a switch takes ${times(result.pause_secs)} s`,
    ...result.wires.map(wireLine),
    result.same_tokens ? "every answer had the same tokens as its twin" : "the answers' tokens DIFFER",
  ].join("\n");
}

function wireLine(result: WireResult): string {
  const { wire, first_token_secs, token_millis, bytes_per_token, same_tokens } = result;
  const figure = (value: number | null, digits: number): string => value?.toFixed(digits) ?? "-";
  return `hidden states in ${wire}: the first token after ${figure(first_token_secs, 2)} s, then ${figure(token_millis, 1)} ms each, ${figure(bytes_per_token, 0)} bytes for each token; ${same_tokens} tokens as in f32`;
}

function hopLine(parts: HopParts): string {
  const { upload_ms, read_back_ms, framing_ms, channel_ms } = parts;
  const words = { upload: upload_ms, "read-back": read_back_ms, framing: framing_ms, channel: channel_ms };
  return Object.entries(words)
    .map(([part, ms]) => `${part} ${ms.toFixed(2)}`)
    .join(", ");
}
