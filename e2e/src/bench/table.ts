/** The bench's result as people read it. */

import type { EngineResult } from "./engine.ts";
import type { Ratio, Row } from "./report.ts";
import type { PartsRow } from "./parts.ts";
import type { ResponsivenessFound } from "./responsiveness.ts";
import { inWords } from "./surroundings.ts";

export function tableOf(result: EngineResult): string {
  return [
    inWords(result.surroundings),
    "",
    columns([ROW_HEAD, ...result.rows.map(rowCells)]),
    ...result.rows.flatMap(remarksOf),
    "",
    columns([RATIO_HEAD, ...result.ratios.map(ratioCells)]),
    "",
    columns([PART_HEAD, ...result.token_parts.map(partCells)]),
    ...result.token_parts.flatMap(kernelsOf),
    "",
    inSentences(result.responsiveness),
    `peak: ${result.memory}`,
  ].join("\n");
}

function inSentences(found: ResponsivenessFound): string {
  if ("failure" in found) return `bundled model: ${found.failure}`;
  const { first_token_secs, frames_per_sec, longest_task_ms, runs } = found;
  const [secs, frames, task] = [first_token_secs, frames_per_sec, longest_task_ms].map(figure);
  return `bundled model, ${runs} runs: first token ${secs} s after opening the page; while it answers, ${frames} frames a second, longest task of the page ${task} ms`;
}

const ROW_HEAD = [
  "engine",
  "on",
  "weights",
  "load s",
  "prefill 128 tok/s",
  "decode tok/s",
  "prefill 1024",
  "decode after 1024",
  "peak MB",
  "wasm MB gzip",
  "rounds",
];
const RATIO_HEAD = ["ours in", "what", "ratio", "over", "rounds"];
const PART_HEAD = [
  "ours in",
  "token ms",
  "encode",
  "GPU",
  "read-back",
  "sampler",
  "detokenizer",
  "rest",
  "tokenizer ms a prompt token",
];

function rowCells({ engine, backend, precision, medians, wasm_gzip_bytes, rounds }: Row): string[] {
  const { load_secs, prefill_128, decode_128, prefill_1024, decode_1024, peak_bytes } = medians;
  const speeds = [load_secs, prefill_128, decode_128, prefill_1024, decode_1024].map(figure);
  const peak = peak_bytes === null ? null : peak_bytes / 1e6;
  return [engine, backend, precision, ...speeds, figure(peak), figure(wasm_gzip_bytes / 1e6), String(rounds)];
}

function remarksOf({ engine, backend, precision, remarks }: Row): string[] {
  return remarks.map((remark) => `${engine} ${precision} on ${backend}: ${remark}`);
}

function ratioCells({ precision, measure, ratio, over, rounds }: Ratio): string[] {
  return [precision, measure, figure(ratio), over, String(rounds)];
}

function partCells(parts: PartsRow): string[] {
  if ("failure" in parts) return [parts.precision, parts.failure];
  const { precision, token_ms, encode_ms, gpu_ms, read_back_ms } = parts;
  const { sampler_ms, detokenizer_ms, rest_ms, tokenizer_ms } = parts;
  const own = [sampler_ms, detokenizer_ms, rest_ms, tokenizer_ms];
  return [precision, ...[token_ms, encode_ms, gpu_ms, read_back_ms, ...own].map(figure)];
}

/** Each kernel's share of a token, by the GPU's clock. */
function kernelsOf(parts: PartsRow): string[] {
  if ("failure" in parts) return [];
  const named = parts.kernels.map(({ name, ms }) => `${name} ${figure(ms)}`);
  return [`kernels in ${parts.precision}, ms a token: ${named.join(", ") || "this GPU has no clock"}`];
}

/** Three digits; a dash for what was not measured. */
function figure(value: number | null): string {
  return value === null ? "-" : String(Number(value.toPrecision(3)));
}

function columns(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: string[]): string => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}
