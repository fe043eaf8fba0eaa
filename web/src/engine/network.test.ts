import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { watchNetwork } from "./network.ts";

let page: EventTarget;
let connection: EventTarget & { type?: string };
let navigator: { onLine: boolean; connection?: typeof connection };
let told: number;
let end: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  page = new EventTarget();
  connection = Object.assign(new EventTarget(), { type: "wifi" });
  navigator = { onLine: true, connection };
  vi.stubGlobal("navigator", navigator);
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  told = 0;
  end = watchNetwork(() => (told += 1));
});

afterEach(() => {
  end();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function become(type: string): void {
  connection.type = type;
  connection.dispatchEvent(new Event("change"));
}

test("a walk from one network into another is told once, when it has settled", () => {
  navigator.onLine = false;
  become("none");
  vi.advanceTimersByTime(1000);
  expect(told).toBe(0);
  navigator.onLine = true;
  page.dispatchEvent(new Event("online"));
  become("cellular");
  vi.advanceTimersByTime(100);
  expect(told).toBe(0);
  vi.advanceTimersByTime(100);
  expect(told).toBe(1);
});

test("another speed of the same network is none", () => {
  become("wifi");
  vi.advanceTimersByTime(1000);
  expect(told).toBe(0);
});

test("nothing is told after the end", () => {
  page.dispatchEvent(new Event("online"));
  end();
  vi.advanceTimersByTime(1000);
  page.dispatchEvent(new Event("online"));
  become("cellular");
  vi.advanceTimersByTime(1000);
  expect(told).toBe(0);
});

test("a browser that tells nothing but that it is online is heard, too", () => {
  end();
  delete navigator.connection;
  end = watchNetwork(() => (told += 1));
  page.dispatchEvent(new Event("online"));
  vi.advanceTimersByTime(1000);
  expect(told).toBe(1);
});
