import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Redeemer } from "./redeem.ts";
import { ScriptedWorker } from "./testing.ts";

let worker: ScriptedWorker;
let spawned: number;
let redeemer: Redeemer;

beforeEach(() => {
  vi.useFakeTimers();
  spawned = 0;
  redeemer = new Redeemer("ws://localhost/signal", () => {
    spawned += 1;
    return (worker = new ScriptedWorker());
  });
});
afterEach(() => vi.useRealTimers());

describe("typing a code", () => {
  it("asks the worker and gives what it brings", async () => {
    const outcome = redeemer.redeem("4821317592");
    worker.say({ type: "loaded" });
    worker.say({ type: "redeemed", fragment: "abc" });
    expect(await outcome).toEqual({ fragment: "abc" });
    expect(worker.received).toEqual([
      { type: "redeem", signalUrl: "ws://localhost/signal", code: "4821317592" },
    ]);
  });

  it("says why it brings nothing, and takes the next one", async () => {
    worker.say({ type: "loaded" });
    const first = redeemer.redeem("4821317593");
    worker.say({ type: "redeemFailed", why: "code_busy", tried: false });
    expect(await first).toMatchObject({ why: "code_busy", tried: false });
    const second = redeemer.redeem("4821317592");
    const third = redeemer.redeem("4821317594");
    expect(await second).toEqual({ why: "no_answer", tried: true });
    worker.say({ type: "failed", ask: null, error: { code: "internal", message: "" } });
    expect(await third).toEqual({ why: "unreachable", tried: true });
  });

  it("has tried nothing where the engine could not be loaded, and loads it again for the next one", async () => {
    const failed = worker;
    const first = redeemer.redeem("4821317592");
    worker.onerror?.call(worker as unknown as Worker, new Event("error") as ErrorEvent);
    expect(await first).toEqual({ why: "unreachable", tried: false });
    expect([failed.isTerminated, spawned]).toEqual([true, 1]);
    const again = redeemer.redeem("4821317592");
    expect(spawned).toBe(2);
    worker.say({ type: "redeemed", fragment: "abc" });
    expect(await again).toEqual({ fragment: "abc" });
  });

  it("waits for two minutes, and not when it is closed", async () => {
    worker.say({ type: "loaded" });
    const late = redeemer.redeem("4821317592");
    vi.advanceTimersByTime(120_000);
    expect(await late).toEqual({ why: "unreachable", tried: true });
    const closed = redeemer.redeem("4821317592");
    worker.say({ type: "loaded" });
    redeemer.close();
    expect(await closed).toEqual({ why: "no_answer", tried: true });
    expect(worker.isTerminated).toBe(true);
  });
});
