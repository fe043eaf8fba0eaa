import { afterEach, expect, test, vi } from "vitest";

import { reasonOf, watchPresence } from "./presence.ts";

test("a phone is away while its page is hidden or its battery nearly empty", () => {
  const battery = (level: number, charging = false): { level: number; charging: boolean } => ({
    level,
    charging,
  });
  expect(reasonOf("visible", undefined)).toBeNull();
  expect(reasonOf("visible", battery(0.5))).toBeNull();
  expect(reasonOf("visible", battery(0.1))).toBe("low_battery");
  expect(reasonOf("visible", battery(0.1, true))).toBeNull();
  expect(reasonOf("hidden", battery(0.5))).toBe("hidden");
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a glance at another app is nothing, a longer one is told, and so is the return", () => {
  vi.useFakeTimers();
  const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  vi.stubGlobal("document", page);
  vi.stubGlobal("navigator", {});
  const told: (string | null)[] = [];
  const end = watchPresence((why) => told.push(why));
  const show = (visibilityState: string): void => {
    page.visibilityState = visibilityState;
    page.dispatchEvent(new Event("visibilitychange"));
  };
  show("hidden");
  vi.advanceTimersByTime(1000);
  show("visible");
  vi.advanceTimersByTime(5000);
  expect(told).toEqual([]);
  show("hidden");
  vi.advanceTimersByTime(3000);
  expect(told).toEqual(["hidden"]);
  show("visible");
  expect(told).toEqual(["hidden", null]);
  show("hidden");
  end();
  vi.advanceTimersByTime(5000);
  expect(told).toEqual(["hidden", null]);
});
