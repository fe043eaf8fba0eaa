import { expect, test } from "@playwright/test";

import { killsResult, type Told } from "../../src/soak/kills-result.ts";
import { grown, memoryResult, type Sample } from "../../src/soak/memory-watch.ts";
import { storyOf } from "../../src/soak/story.ts";
import { hasCopy } from "../../src/soak/telling.ts";
import { longestGapSecs } from "../../src/soak/timed-answer.ts";

test("a seed says everything about a story, and all of it happens", () => {
  const answers = ["one", "another"].map((prompt) => ({ prompt, prompt_ids: [1], tokens: [2], text: "" }));
  const stories = Array.from({ length: 50 }, (_, seed) => storyOf(seed, answers));
  expect(stories).toEqual(Array.from({ length: 50 }, (_, seed) => storyOf(seed, answers)));
  const different = (of: (story: (typeof stories)[number]) => unknown): number =>
    new Set(stories.map(of)).size;
  expect(different(({ kind }) => kind.name)).toBe(3);
  expect(different(({ prompt }) => prompt)).toBe(2);
  expect(different(({ fault, victim, asker }) => `${fault} ${victim} ${asker}`)).toBe(8);
  expect(different(({ token }) => token)).toBeGreaterThan(20);
});

test("a part is copied where others hold all of its modules", () => {
  const stage = (peer: string, start: number, end: number) => ({
    ...{ peer, start, end, weightsBytes: 1, predictedSecs: 1, measuredSecs: null },
  });
  const stages = [stage("a", 0, 4), stage("b", 4, 8), stage("c", 8, 12)];
  const overlap = [stage("a", 4, 6), stage("c", 6, 8), stage("b", 8, 11), stage("c", 7, 8)];
  expect(hasCopy({ stages, overlap }, "b")).toBe(true);
  expect(hasCopy({ stages, overlap }, "c")).toBe(false);
  expect(hasCopy({ stages, overlap }, "d")).toBeNull();
  // Its own copies are lost with it.
  expect(hasCopy({ stages, overlap: [stage("b", 4, 8)] }, "b")).toBe(false);
});

test("the gap is the longest that ends after the loss", () => {
  expect(longestGapSecs([0, 900, 1000, 1100, 2600, 2700], 1150)).toBe(1.5);
  // The one before it is not of the loss.
  expect(longestGapSecs([0, 900, 1000], 950)).toBe(0.1);
  expect(longestGapSecs([0, 900], 950)).toBeNull();
});

test("stories are counted by whether there was a copy", () => {
  const one = { failure: null, missed: false, fault: "killed", story_secs: 10 } as const;
  const told = [
    { ...one, seed: 1, had_copy: true, gap_secs: 1 },
    { ...one, seed: 2, had_copy: true, gap_secs: 1.5 },
    { ...one, seed: 3, had_copy: false, gap_secs: 4, failure: "too long" },
    { ...one, seed: 4, had_copy: null, gap_secs: null, missed: true },
  ] as Told[];
  const result = killsResult(told);
  expect(result.failed).toEqual([3]);
  expect(result.missed).toEqual([4]);
  expect(result.with_copy).toEqual({ count: 2, median_secs: 1.25, longest_secs: 1.5 });
  expect(result.without_copy.longest_secs).toBe(4);
  expect(result.idle.count).toBe(0);
});

test("memory that grows is told of", () => {
  const steady = memoryResult(samples(() => 100));
  expect(steady.header).toEqual({ first_half: 100, second_half: 100, ratio: 1 });
  expect(grown(steady)).toEqual([]);
  const growing = grown(memoryResult(samples((at) => 100 + at)));
  expect(growing[0]).toContain("header");
});

function samples(value: (at: number) => number): Sample[] {
  return Array.from({ length: 100 }, (_, at) => {
    const bytes = value(at);
    const parts = { renderers: bytes, gpu: bytes, page_heap: bytes, wasm: bytes };
    return { at_secs: at, phone: "Pixel 7", is_header: true, total: bytes, ...parts };
  });
}
