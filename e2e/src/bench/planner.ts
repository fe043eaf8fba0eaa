/**
 * The driver of `cargo xtask bench planner`: rooms of 8 phones and 62 modules are planned for in a browser, each in a
 * worker that has done nothing before. Options come as one JSON object by standard input; standard output has a table,
 * and the result as its last line.
 */

import { drive } from "../driver.ts";
import type { PlanInput } from "../../../web/src/engine/messages.ts";
import { launchBrowser } from "../chromium.ts";
import { randomFrom } from "../random.ts";
import { Server } from "../server.ts";
import { median } from "./report.ts";

interface Options {
  rounds: number;
}

/** One kind of room. */
interface Row {
  objective: PlanInput["objective"];
  residual: Skipping;
  /** Whether the ring may close on the phone that begins it. */
  closing: boolean;
  /** Of the solver, over the rounds. */
  median_ms: number;
  longest_ms: number;
  /** Whether each answer meets its bound. */
  proven: boolean;
}

/** Tensors that skip modules: none, one from module 0 to all, or one encoder output to every decoder module. */
type Skipping = "none" | "from the first module" | "from an encoder";

async function bench({ rounds }: Options): Promise<{ phones: number; modules: number; rows: Row[] }> {
  const server = await Server.start({});
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    const rows: Row[] = [];
    for (const objective of ["latency", "throughput"] as const)
      for (const [residual, closing] of KINDS) {
        const rooms = Array.from({ length: rounds }, (_, seed) => ({
          ...room(seed + 1, objective, residual),
          close_ring: closing,
        }));
        const answers = await page.evaluate(async (inputs) => {
          const found = [];
          for (const input of inputs) found.push(await window.lingualinked.plan(input));
          return found;
        }, rooms);
        rows.push({ objective, residual, closing, ...figures(answers) });
      }
    return { phones: PHONES, modules: MODULES, rows };
  } finally {
    await browser.close();
    await server.stop();
  }
}

function figures(answers: object[]): Pick<Row, "median_ms" | "longest_ms" | "proven"> {
  const solved = answers.map((answer) => {
    if (!("solve_secs" in answer)) throw new Error(`a room has no plan: ${JSON.stringify(answer)}`);
    return answer as { solve_secs: number; objective_secs: number; lower_bound_secs: number };
  });
  const times = solved.map(({ solve_secs }) => 1000 * solve_secs);
  const isProven = (one: { objective_secs: number; lower_bound_secs: number }): boolean =>
    one.objective_secs - one.lower_bound_secs <= 1e-9 * one.objective_secs;
  return { median_ms: median(times) ?? NaN, longest_ms: Math.max(...times), proven: solved.every(isProven) };
}

/** Phones of different speeds on one network, each with room for a fifth more than its share. */
function room(seed: number, objective: PlanInput["objective"], skipping: Skipping): PlanInput {
  const random = randomFrom(seed);
  const between = (low: number, high: number): number => low + (high - low) * random();
  const modules = Array.from({ length: MODULES }, (_, at) => {
    const isHead = at === MODULES - 1;
    const size = at % 2 === 1 ? 1 : 2;
    const weights_bytes = at === 0 ? 0 : isHead ? 6e7 : 1e7 * size;
    return { name: `m.${at}`, flops: at === 0 ? 1e3 : isHead ? 3e8 : 2e7 * size, weights_bytes };
  });
  const bytes = modules.reduce((sum, { weights_bytes }) => sum + weights_bytes, 0);
  const matrix = (value: () => number): number[][] =>
    Array.from({ length: PHONES }, () => Array.from({ length: PHONES }, value));
  return {
    objective,
    modules,
    sequential_bytes: modules.slice(1).map(() => 8192),
    residual: residualOf(skipping),
    devices: Array.from({ length: PHONES }, (_, at) => ({
      id: `phone-${at}`,
      flops_per_sec: 1e10 * between(1, 6),
      overhead_secs: between(0.001, 0.005),
      memory_bytes: (bytes * between(1.1, 1.4)) / PHONES,
    })),
    rtt_secs: matrix(() => between(0.002, 0.02)),
    bytes_per_sec: matrix(() => between(2e6, 2e7)),
    token_bytes: 24,
  };
}

function residualOf(skipping: Skipping): NonNullable<PlanInput["residual"]> {
  const after = (from: number): number[] =>
    Array.from({ length: MODULES - from - 2 }, (_, at) => from + 2 + at);
  if (skipping === "none") return [];
  const from = skipping === "from an encoder" ? MODULES / 2 : 0;
  return [{ from, to: after(from), bytes: from === 0 ? 512 : 8192 }];
}

async function main(text: string): Promise<void> {
  const found = await bench(JSON.parse(text) as Options);
  for (const { objective, residual, closing, median_ms, longest_ms, proven } of found.rows) {
    const times = `${median_ms.toFixed(1)} ms, at most ${longest_ms.toFixed(1)}`;
    const ring = closing ? ", the ring may close" : "";
    const words = `${objective}, tensors that skip modules: ${residual}${ring}`;
    process.stdout.write(`${words}: ${times}, ${proven ? "all proven best" : "not all proven best"}\n`);
  }
  process.stdout.write(`${JSON.stringify(found)}\n`);
}

const PHONES = 8;
const MODULES = 62;
const KINDS: [Skipping, boolean][] = [
  ["none", false],
  ["from the first module", false],
  ["from an encoder", false],
  ["none", true],
];

drive(main);
