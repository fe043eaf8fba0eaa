import { expect, test } from "@playwright/test";

import type { Contender } from "../../src/bench/contender.ts";
import type { Measure, Sample } from "../../src/bench/measure.ts";
import { cpuRatios, headline, median, rowsOf, webgpuRatios } from "../../src/bench/report.ts";
import { tableOf } from "../../src/bench/table.ts";
import type { Precision } from "../../src/bench/workload.ts";

test("medians are of the middle, or of the two that share it", () => {
  expect(median([])).toBeNull();
  expect(median([3])).toBe(3);
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 9, 2])).toBe(3);
});

test("a ratio is of the same round, and its median of the rounds that have both", () => {
  const [own, peer] = [contender("LinguaLinked", "F32"), contender("ONNX Runtime Web", "F32")];
  const samples = [
    sample(own, 1, { decode_128: 10 }),
    sample(peer, 1, { decode_128: 5 }),
    sample(own, 2, { decode_128: 90 }),
    sample(peer, 2, { decode_128: 10 }),
    sample(own, 3, { decode_128: 1000 }),
  ];
  const [found] = webgpuRatios(samples);
  expect(found).toMatchObject({ precision: "F32", measure: "decode_128", ratio: 5.5, rounds: 2 });
  expect(found?.over).toBe("ONNX Runtime Web F32 on WebGPU");
});

test("each precision is compared with the nearest that finishes, and the first ratio with the fastest", () => {
  const [f32, q4] = [contender("LinguaLinked", "F32"), contender("LinguaLinked", "Q4_0")];
  const [slow, fast] = [contender("ONNX Runtime Web", "F32"), contender("wllama", "F32")];
  const samples = [
    sample(f32, 1, { decode_128: 8 }),
    sample(q4, 1, { decode_128: 16 }),
    sample(slow, 1, { decode_128: 1 }),
    sample(fast, 1, { decode_128: 4 }),
    sample(contender("ONNX Runtime Web", "Q4_0"), 1, {}, "it did not finish"),
  ];
  const ratios = webgpuRatios(samples);
  expect(ratios.map(({ precision, ratio, over }) => [precision, ratio, over])).toEqual([
    ["F32", 2, "wllama F32 on WebGPU"],
    ["Q4_0", 4, "wllama F32 on WebGPU"],
  ]);
  expect(headline(samples, ratios, "decode_128")).toBe(ratios[0]);
  expect(headline(samples, ratios, "prefill_128")).toBeNull();
});

test("on the processor, precisions are compared with themselves", () => {
  const samples = [
    sample(contender("LinguaLinked", "Q4_0"), 1, { decode_128: 30 }),
    sample(contender("wllama", "Q4_0", "CPU, 2 threads"), 1, { decode_128: 60 }),
    sample(contender("ONNX Runtime Web", "Q4_0", "CPU, 2 threads"), 1, { decode_128: 90 }),
  ];
  expect(cpuRatios(samples)).toEqual([
    {
      precision: "Q4_0",
      measure: "decode_128",
      over: "wllama Q4_0 on CPU, 2 threads",
      ratio: 0.5,
      rounds: 1,
    },
  ]);
  expect(webgpuRatios(samples)).toEqual([]);
});

test("a row says what failed, and where an engine goes on otherwise", () => {
  const own = sample(contender("LinguaLinked", "F32"), 1, { load_secs: 2 });
  const other = sample(contender("wllama", "F32"), 1, { load_secs: 4 }, "it was too slow");
  own.answers.short = [7, 8];
  other.answers.short = [9, 8];
  const [, row] = rowsOf([own, other]);
  expect(row?.remarks).toEqual(["it was too slow", "another first token after the short prompt"]);
  expect(row?.medians).toMatchObject({ load_secs: 4, decode_128: null });
  expect(row?.rounds).toBe(1);
});

test("the table has a dash for what was not measured, and says why below", () => {
  const samples = [sample(contender("wllama", "F16"), 1, { load_secs: 1.2345 }, "it was too slow")];
  const table = tableOf({
    decode_ratio: null,
    decode_ratio_of: null,
    prefill_ratio: null,
    prefill_ratio_of: null,
    decode_ratio_to_cpu: null,
    wasm_gzip_bytes: 0,
    rows: rowsOf(samples),
    ratios: [],
    token_parts: [{ precision: "F16", failure: "no GPU" }],
    responsiveness: { first_token_secs: 4.2, frames_per_sec: 59, longest_task_ms: 0, runs: 3 },
    surroundings: { browser: "Chromium 1", adapter: null, has_shader_f16: false, processors: 2 },
    memory: "sums",
  });
  const lines = table.split("\n");
  expect(lines[0]).toBe("Chromium 1, 2 processors; WebGPU: none, without shader-f16");
  expect(lines.find((line) => line.startsWith("wllama  "))?.split(/ {2,}/)).toEqual([
    "wllama",
    "WebGPU",
    "F16",
    "1.23",
    "-",
    "-",
    "-",
    "-",
    "-",
    "0",
    "1",
  ]);
  expect(lines).toContain("wllama F16 on WebGPU: it was too slow");
  expect(lines.find((line) => line.endsWith("no GPU"))).toMatch(/^F16 /);
});

function contender(
  engine: Contender["engine"],
  precision: Precision,
  backend: Contender["backend"] = "WebGPU",
): Contender {
  const open = (): Promise<never> => Promise.reject(new Error("nobody opens it"));
  return { engine, precision, backend, decodedTokens: 8, wasm: [], open };
}

function sample(
  contender: Contender,
  round: number,
  values: Partial<Record<Measure, number>>,
  failure?: string,
): Sample {
  const failures = failure === undefined ? {} : { long: failure };
  return { contender, round, values, answers: {}, failures, secs: {} };
}
