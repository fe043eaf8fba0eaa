import { describe, expect, it } from "vitest";

import { EngineFailure, type EngineWorker } from "./engine.ts";
import type { FromWorker, PlanInput, ToWorker } from "./messages.ts";
import { plan } from "./planner.ts";

const input: PlanInput = {
  objective: "latency",
  modules: [{ name: "embed", flops: 1, weights_bytes: 1 }],
  sequential_bytes: [],
  devices: [{ id: "a", flops_per_sec: 1, memory_bytes: 1 }],
  rtt_secs: [[0]],
  bytes_per_sec: [[0]],
};

describe("the planner by itself", () => {
  it("gives the worker's answer and ends the worker", async () => {
    const stages = [{ device: "a", start: 0, end: 1 }];
    const result = { objective_secs: 1, stages, overlap: [], lower_bound_secs: 1, solve_secs: 0.1 };
    const worker = scripted({ type: "planned", result });
    expect(await plan(input, () => worker)).toEqual(result);
    expect(worker.asked).toEqual([{ type: "plan", input }]);
    expect(worker.isEnded).toBe(true);
  });

  it("rejects what the worker refuses", async () => {
    const error = { code: "internal" as const, message: "modules: must have at least one module" };
    const worker = scripted({ type: "failed", ask: null, error });
    await expect(plan(input, () => worker)).rejects.toEqual(new EngineFailure(error));
    expect(worker.isEnded).toBe(true);
  });
});

function scripted(answer: FromWorker): EngineWorker & { asked: ToWorker[]; isEnded: boolean } {
  const worker = {
    asked: [] as ToWorker[],
    isEnded: false,
    onmessage: null as EngineWorker["onmessage"],
    onerror: null,
    onmessageerror: null,
    postMessage(message: ToWorker) {
      this.asked.push(message);
      queueMicrotask(() => this.onmessage?.call(null as never, { data: answer } as MessageEvent));
    },
    terminate() {
      this.isEnded = true;
    },
  };
  return worker as never;
}
