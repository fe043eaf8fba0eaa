import { expect, test } from "vitest";

import { askingWords, inviteWords } from "./door.ts";

test("who asks is told by name, and by device where that says more", () => {
  expect(askingWords({ name: "Anna", device: "Pixel 8" })).toBe("Anna (Pixel 8) wants to come in");
  expect(askingWords({ name: "Pixel 8", device: "Pixel 8" })).toBe("Pixel 8 wants to come in");
  expect(askingWords({ name: "Anna’s Pixel 8", device: "Pixel 8" })).toBe("Anna’s Pixel 8 wants to come in");
  expect(askingWords({ name: "Anna", device: "" })).toBe("Anna wants to come in");
});

test("a code says what it does", () => {
  const words = [
    { locked: false, admitsAll: false },
    { locked: false, admitsAll: true },
    { locked: true, admitsAll: true },
  ].map(inviteWords);
  expect(words[0]).toContain("asks you");
  expect(words[1]).toContain("without asking");
  expect(words[2]).toContain("locked");
});
