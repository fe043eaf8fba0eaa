/** Medians over the rounds, and ratios of what was measured in the same round. */

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

import { nameOf, type Contender } from "./contender.ts";
import { MEASURES, STEPS, type Measure, type Sample } from "./measure.ts";
import { PRECISIONS, type Precision } from "./workload.ts";

export interface Row {
  engine: string;
  backend: string;
  precision: string;
  /** Medians; null where nothing was measured, and then a remark says why. */
  medians: Record<Measure, number | null>;
  /** In how many rounds it was measured at all. */
  rounds: number;
  wasm_bytes: number;
  wasm_gzip_bytes: number;
  remarks: string[];
}

/** Ours over another's, the median of the rounds that have both; more than 1 is faster, but for memory and loading. */
export interface Ratio {
  precision: Precision;
  measure: Measure;
  over: string;
  ratio: number;
  rounds: number;
}

export function rowsOf(samples: Sample[]): Row[] {
  return contendersOf(samples).map((contender) => {
    const own = samples.filter((sample) => sample.contender === contender);
    const { engine, backend, precision } = contender;
    const medians = Object.fromEntries(
      MEASURES.map((measure) => [measure, median(own.flatMap(({ values }) => values[measure] ?? []))]),
    ) as Row["medians"];
    const rounds = own.filter(({ values }) => values.load_secs !== undefined).length;
    const remarks = [...new Set(own.flatMap((sample) => remarksOf(sample, samples)))];
    return { engine, backend, precision, medians, rounds, ...wasmSizes(contender), remarks };
  });
}

/** Each of our precisions against the fastest peer on WebGPU, of those in the nearest precision that was measured. */
export function webgpuRatios(samples: Sample[]): Ratio[] {
  return PRECISIONS.flatMap((precision) =>
    RATIO_MEASURES.flatMap((measure) => {
      const peers = peersOn(samples, "WebGPU", measure);
      const distance = (peer: Contender): number => distanceOf(peer.precision, precision);
      const nearest = Math.min(...peers.map(distance));
      const peer = fastest(
        samples,
        peers.filter((one) => distance(one) === nearest),
        measure,
      );
      return peer ? (ratio(samples, precision, measure, peer) ?? []) : [];
    }),
  );
}

/** In the precision of the fastest peer on WebGPU, or the nearest one. */
export function headline(samples: Sample[], ratios: Ratio[], measure: Measure): Ratio | null {
  const peer = fastest(samples, peersOn(samples, "WebGPU", measure), measure);
  if (!peer) return null;
  const own = ratios.filter((one) => one.measure === measure && one.over === nameOf(peer));
  const distance = (one: Ratio): number => distanceOf(one.precision, peer.precision);
  return own.toSorted((a, b) => distance(a) - distance(b))[0] ?? null;
}

/** Ours over wllama's in the same precision on the processor. */
export function cpuRatios(samples: Sample[]): Ratio[] {
  const peers = contendersOf(samples).filter(
    ({ engine, backend }) => engine === "wllama" && backend !== "WebGPU",
  );
  return peers.flatMap((peer) =>
    RATIO_MEASURES.flatMap((measure) => ratio(samples, peer.precision, measure, peer) ?? []),
  );
}

/** The runs of each round, with what is compared and without; rounds that have both. */
export function paired<T extends { round: number }>(runs: T[], isWith: (run: T) => boolean): [T, T][] {
  const without = runs.filter((run) => !isWith(run));
  return runs.filter(isWith).flatMap((run): [T, T][] => {
    const twin = without.find(({ round }) => round === run.round);
    return twin ? [[run, twin]] : [];
  });
}

export function median(values: number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

function ratio(samples: Sample[], precision: Precision, measure: Measure, peer: Contender): Ratio | null {
  const valueIn = (round: number, test: (contender: Contender) => boolean): number | undefined =>
    samples.find((sample) => sample.round === round && test(sample.contender))?.values[measure];
  const isOurs = (contender: Contender): boolean =>
    contender.engine === "LinguaLinked" && contender.precision === precision;
  const paired = [...new Set(samples.map(({ round }) => round))].flatMap((round) => {
    const [own, other] = [valueIn(round, isOurs), valueIn(round, (contender) => contender === peer)];
    return own === undefined || other === undefined ? [] : own / other;
  });
  const middle = median(paired);
  if (middle === null) return null;
  return { precision, measure, over: nameOf(peer), ratio: middle, rounds: paired.length };
}

function peersOn(samples: Sample[], backend: Contender["backend"], measure: Measure): Contender[] {
  return contendersOf(samples).filter(
    (contender) =>
      contender.engine !== "LinguaLinked" &&
      contender.backend === backend &&
      speed(samples, contender, measure) !== null,
  );
}

function fastest(samples: Sample[], peers: Contender[], measure: Measure): Contender | undefined {
  const of = (peer: Contender): number => speed(samples, peer, measure) ?? 0;
  return peers.toSorted((a, b) => of(b) - of(a))[0];
}

function speed(samples: Sample[], contender: Contender, measure: Measure): number | null {
  const own = samples.filter((sample) => sample.contender === contender);
  return median(own.flatMap(({ values }) => values[measure] ?? []));
}

/** What failed, and where it goes on otherwise than we do in full precision: a wrong sum, or a tie that broke. */
function remarksOf(sample: Sample, samples: Sample[]): string[] {
  const failed = STEPS.flatMap((step) => sample.failures[step] ?? []);
  const ours = samples.find(
    ({ contender: { engine, precision } }) => engine === "LinguaLinked" && precision === "F32",
  );
  const differs = (["short", "long"] as const).filter((step) => {
    const [own, expected] = [sample.answers[step]?.[0], ours?.answers[step]?.[0]];
    return own !== undefined && expected !== undefined && own !== expected;
  });
  const isExact = sample.contender.precision === "F32";
  return [
    ...failed,
    ...(isExact ? differs.map((step) => `another first token after the ${step} prompt`) : []),
  ];
}

function wasmSizes({ wasm }: Contender): { wasm_bytes: number; wasm_gzip_bytes: number } {
  const files = wasm.map((file) => readFileSync(file));
  const sum = (sizes: number[]): number => sizes.reduce((total, size) => total + size, 0);
  return {
    wasm_bytes: sum(files.map((bytes) => bytes.length)),
    wasm_gzip_bytes: sum(files.map((bytes) => gzipSync(bytes, { level: 9 }).length)),
  };
}

function contendersOf(samples: Sample[]): Contender[] {
  return [...new Set(samples.map(({ contender }) => contender))];
}

function distanceOf(a: Precision, b: Precision): number {
  return Math.abs(PRECISIONS.indexOf(a) - PRECISIONS.indexOf(b));
}

const RATIO_MEASURES: Measure[] = ["prefill_128", "decode_128", "prefill_1024", "decode_1024"];
