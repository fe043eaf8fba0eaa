import { expect, test } from "@playwright/test";
import { readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";

import { readGguf, tensorsOfStage } from "../../src/gguf.ts";
import { bundledModel, HERE, settings } from "../../src/settings.ts";
import { merge } from "../../src/spans.ts";

const tiny = resolve(HERE, "../crates/testkit/golden");
const files = [
  bundledModel(settings().models),
  ...readdirSync(tiny)
    .filter((file) => file.endsWith(".gguf"))
    .map((file) => join(tiny, file)),
];

for (const file of files) {
  test(`${basename(file)}: its tensors fill the file after its front`, () => {
    const index = readGguf(file);
    const spans = merge(index.tensors, index.alignment - 1);
    expect(spans).toEqual([{ start: index.frontBytes, end: expect.any(Number) }]);
    const padding = statSync(file).size - (spans[0]?.end ?? 0);
    expect(padding).toBeGreaterThanOrEqual(0);
    expect(padding).toBeLessThan(index.alignment);
  });

  // Rooms run decoders, and so the modules known here are theirs.
  if (basename(file).includes("t5-")) continue;

  test(`${basename(file)}: its stages have all tensors, and each tensor its modules`, () => {
    const index = readGguf(file);
    const modules = 2 * index.layers + 2;
    expect(index.layers).toBeGreaterThan(0);
    const all = Array.from({ length: modules }, (_, at) => tensorsOfStage(index, at, at + 1));
    expect(all.every((tensors) => tensors.length > 0)).toBe(true);
    const names = new Set(all.flat().map(({ name }) => name));
    expect(names.size).toBe(index.tensors.length);
    const isTied = !names.has("output.weight") && !names.has("cls.output.weight");
    const divisors = names.has("rope_freqs.weight") ? index.layers - 1 : 0;
    // A tied embedding is needed at both ends.
    expect(all.flat()).toHaveLength(index.tensors.length + (isTied ? 1 : 0) + divisors);
  });
}
