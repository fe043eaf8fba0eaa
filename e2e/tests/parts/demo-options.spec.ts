import { expect, test } from "@playwright/test";

import { parseDemoOptions } from "../../src/demo-options.ts";

test("every option of the demo may be left out", () => {
  expect(parseDemoOptions("{}")).toMatchObject({
    phones: 3,
    prompt: "Once upon a time",
    maxTokens: 64,
    temperature: 0,
  });
  const given = {
    phones: 5,
    prompt: "",
    maxTokens: 1,
    temperature: 0.8,
    seed: 7,
    model: "m.gguf",
    headed: true,
  };
  expect(parseDemoOptions(JSON.stringify(given))).toMatchObject(given);
});

test("an odd option is refused by its name", () => {
  for (const odd of [
    { phones: 0 },
    { phones: 9 },
    { phones: 1.5 },
    { prompt: 1 },
    { maxTokens: 0 },
    { temperature: -1 },
    { seed: -1 },
    { seed: 2 ** 32 },
    { model: null },
    { headed: "yes" },
    { accessLog: 1 },
    { shards: 3 },
  ]) {
    expect(() => parseDemoOptions(JSON.stringify(odd)), JSON.stringify(odd)).toThrow(
      Object.keys(odd)[0] ?? "",
    );
  }
});
