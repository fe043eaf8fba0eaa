import { expect, test } from "@playwright/test";

import { bytesIn, merge, outside } from "../../src/spans.ts";

const span = (start: number, end: number): { start: number; end: number } => ({ start, end });

test("spans are merged, over small gaps if wanted", () => {
  const spans = [span(20, 30), span(0, 10), span(5, 12), span(3, 3), span(30, 31), span(40, 50)];
  expect(merge(spans)).toEqual([span(0, 12), span(20, 31), span(40, 50)]);
  expect(merge(spans, 8)).toEqual([span(0, 31), span(40, 50)]);
  expect(bytesIn(spans)).toBe(33);
});

test("what nothing allows is found", () => {
  const allowed = [span(0, 10), span(20, 30), span(28, 40)];
  expect(outside([span(2, 8), span(20, 40)], allowed)).toEqual([]);
  expect(outside([span(5, 25), span(39, 45)], allowed)).toEqual([span(10, 20), span(40, 45)]);
  expect(outside([span(50, 60)], allowed)).toEqual([span(50, 60)]);
  expect(outside([span(0, 3)], [])).toEqual([span(0, 3)]);
});
