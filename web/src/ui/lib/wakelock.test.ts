import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { keepAwake, type Awake } from "./wakelock.ts";

let locks: EventTarget[];
let mayHold: boolean;
let told: Awake[];
let page: EventTarget & { visibilityState: string };

beforeEach(() => {
  vi.useFakeTimers();
  [locks, mayHold, told] = [[], true, []];
  page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const request = async (): Promise<EventTarget> => {
    if (!mayHold) throw new DOMException("low battery", "NotAllowedError");
    const lock = Object.assign(new EventTarget(), { release: async () => drop(lock) });
    locks.push(lock);
    return lock;
  };
  vi.stubGlobal("document", page);
  vi.stubGlobal("navigator", { wakeLock: { request } });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function drop(lock: EventTarget | undefined): void {
  lock?.dispatchEvent(new Event("release"));
}

async function awake(): Promise<() => void> {
  const end = keepAwake((how) => told.push(how));
  await vi.advanceTimersByTimeAsync(0);
  return end;
}

test("the screen is kept on, also after the page was hidden", async () => {
  await awake();
  page.visibilityState = "hidden";
  drop(locks[0]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told).toEqual(["held", "refused"]);
  page.visibilityState = "visible";
  page.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toEqual(["held", "refused", "held"]);
});

test("what the system takes back is asked for again", async () => {
  await awake();
  drop(locks[0]);
  await vi.advanceTimersByTimeAsync(3000);
  expect([told, locks.length]).toEqual([["held", "refused", "held"], 2]);
});

test("a refusal is told, and nothing is held after the end", async () => {
  mayHold = false;
  const end = await awake();
  expect(told).toEqual(["refused"]);
  end();
  mayHold = true;
  page.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(locks).toEqual([]);
});

test("a browser without locks says so", async () => {
  vi.stubGlobal("navigator", {});
  await awake();
  expect(told).toEqual(["missing"]);
});
