import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { Store } from "../../engine/store.ts";
import { paced } from "./paced.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("shows the first change at once and then the latest from time to time", () => {
  const store = new Store(0);
  const shown: number[] = [];
  const unsubscribe = paced(store, 100).subscribe((value) => shown.push(value));
  expect(shown).toEqual([0]);
  for (const value of [1, 2, 3]) {
    vi.advanceTimersByTime(30);
    store.set(value);
  }
  expect(shown).toEqual([0]);
  vi.advanceTimersByTime(10);
  expect(shown).toEqual([0, 3]);
  vi.advanceTimersByTime(500);
  expect(shown).toEqual([0, 3]);
  store.set(4);
  expect(shown).toEqual([0, 3, 4]);
  store.set(5);
  unsubscribe();
  vi.advanceTimersByTime(500);
  expect(shown).toEqual([0, 3, 4]);
});
