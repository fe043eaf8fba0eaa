import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Engine } from "./engine.ts";
import type { StartConfig } from "./messages.ts";
import { ScriptedWorker } from "./testing.ts";
import { plainDoor } from "../ui/lib/testing.ts";

const config: StartConfig = {
  signalUrl: "ws://localhost/signal",
  secret: null,
  name: "Ada",
  device: "test",
  modelUrl: "/models/x.gguf",
  pledge: { bytes: 1 },
  wire: "f16",
  balances: true,
  skips: true,
  starts: true,
  reopens: false,
  waits: false,
  requests: null,
  door: plainDoor,
};
const options = { temperature: 0, topK: 0, topP: 1, seed: 1, maxTokens: 4 };

let workers: ScriptedWorker[];
let engine: Engine;

beforeEach(() => {
  vi.useFakeTimers();
  workers = [];
  const spawn = (): ScriptedWorker => {
    const worker = new ScriptedWorker();
    workers.push(worker);
    return worker;
  };
  engine = new Engine(spawn, undefined, () => Promise.resolve("ab".repeat(32)));
});
afterEach(() => vi.useRealTimers());

function started(): ScriptedWorker {
  engine.start(config);
  const worker = workers.at(-1);
  if (!worker) throw new Error("start makes a worker");
  worker.say({ type: "loaded" });
  return worker;
}

describe("the facade", () => {
  it("gives picked files before it starts, and later ones when they come", () => {
    const [first, second] = [new File(["a"], "a.gguf"), new File(["b"], "b.gguf")];
    engine.start(config, [first]);
    engine.pick([second]);
    expect(workers[0]?.received).toEqual([
      { type: "files", files: [first] },
      { type: "start", config },
      { type: "files", files: [second] },
    ]);
  });

  it("tells by what the phone is known, where it starts a room", async () => {
    const worker = started();
    await vi.advanceTimersByTimeAsync(0);
    expect(worker.received.at(-1)).toEqual({ type: "own", identity: "ab".repeat(32) });
    engine.start({ ...config, starts: false, secret: "abc" });
    await vi.advanceTimersByTimeAsync(0);
    expect(workers.at(-1)?.received.map(({ type }) => type)).toEqual(["start"]);
  });

  it("starts one worker and shows what it says", () => {
    const worker = started();
    worker.say({ type: "invitation", fragment: "abc" });
    expect(worker.received).toEqual([{ type: "start", config }]);
    expect(engine.view.value).toMatchObject({ status: "in_room", invitation: "abc" });
  });

  it("resolves an answer when it is complete", async () => {
    const worker = started();
    const ask = engine.ask("hello", options);
    const finished = engine.finished(ask);
    worker.say({ type: "text", ask, delta: " world" });
    worker.say({ type: "failed", ask, error: { code: "too_slow", message: "slow" } });
    await expect(finished).resolves.toMatchObject({ text: " world", state: "failed" });
  });

  it("asks with one question or a conversation", () => {
    const worker = started();
    engine.ask("hello", options);
    const messages = [
      { role: "user" as const, content: "hello" },
      { role: "assistant" as const, content: "hi" },
      { role: "user" as const, content: "who?" },
    ];
    engine.ask(messages, options);
    const asked = worker.received.flatMap((message) => (message.type === "ask" ? [message.messages] : []));
    expect(asked).toEqual([[{ role: "user", content: "hello" }], messages]);
    expect(engine.view.value.turns.map((turn) => turn.prompt)).toEqual(["hello", "who?"]);
  });

  it("stops what is running when a new conversation begins", () => {
    const worker = started();
    const [done, running] = [engine.ask("one", options), engine.ask("two", options)];
    worker.say({ type: "failed", ask: done, error: { code: "too_slow", message: "" } });
    engine.newConversation();
    expect(worker.received.filter((message) => message.type === "stop")).toEqual([
      { type: "stop", ask: running },
    ]);
    expect(engine.view.value.turns).toEqual([]);
  });

  it("rejects an answer whose room was left, and ends the worker", async () => {
    const worker = started();
    const finished = engine.finished(engine.ask("hello", options));
    engine.leave();
    await expect(finished).rejects.toMatchObject({ error: { code: "room_gone" } });
    expect(worker.received.at(-1)).toEqual({ type: "leave" });
    vi.advanceTimersByTime(1000);
    expect(worker.isTerminated).toBe(true);
    expect(engine.view.value.status).toBe("idle");
  });

  it("counts a prompt, and says so when it cannot", async () => {
    const worker = started();
    const good = engine.check("short");
    const bad = engine.check("long");
    const asks = worker.received.flatMap((message) => (message.type === "check" ? [message.ask] : []));
    worker.say({ type: "checked", ask: asks[0] ?? 0, promptTokens: 1, contextTokens: 9 });
    worker.say({ type: "failed", ask: asks[1] ?? 0, error: { code: "prompt_too_long", message: "long" } });
    await expect(good).resolves.toMatchObject({ promptTokens: 1, contextTokens: 9 });
    await expect(bad).rejects.toThrow("long");
  });

  it("gives up on an engine that does not load", () => {
    engine.start(config);
    vi.advanceTimersByTime(121_000);
    expect(engine.view.value.error?.code).toBe("server_unreachable");
  });

  it("gives up on a count that does not come", async () => {
    started();
    const check = engine.check("hello");
    vi.advanceTimersByTime(61_000);
    await expect(check).rejects.toMatchObject({ error: { code: "too_slow" } });
  });

  it("hears nothing more from a room that it left", () => {
    const worker = started();
    engine.leave();
    worker.say({ type: "failed", ask: null, error: { code: "phone_left", message: "" } });
    expect(engine.view.value.error).toBeNull();
  });
});
