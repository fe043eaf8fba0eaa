import { describe, expect, it } from "vitest";

import { caretAfter, digitsOf, grouped, spelled } from "./codes.ts";

describe("short codes", () => {
  it("are read whatever stands between their digits", () => {
    for (const text of ["4821317592", " 4821-317-592\n", "4821 – 317\u00a0592", "code: ４８２１ 317 592"])
      expect(digitsOf(text)).toBe("4821317592");
    expect(digitsOf("48213175921")).toBe("4821317592");
    expect(digitsOf("none")).toBe("");
  });

  it("are grouped as they grow, and every key deletes a digit", () => {
    const grown = ["", "4", "4821", "4821 - 3", "4821 - 317", "4821 - 317 5", "4821 - 317 592"];
    const digits = ["", "4", "4821", "48213", "4821317", "48213175", "4821317592"];
    expect(digits.map(grouped)).toEqual(grown);
    for (const text of grown.slice(1)) {
      const shorter = grouped(digitsOf(text.slice(0, -1)));
      expect(digitsOf(shorter)).toHaveLength(digitsOf(text).length - 1);
    }
  });

  it("keep the caret behind the digit that was typed", () => {
    expect(caretAfter("4821 - 317", 0)).toBe(0);
    expect(caretAfter("4821 - 317", 4)).toBe(4);
    expect(caretAfter("4821 - 317", 5)).toBe(8);
    expect(caretAfter("4821 - 317", 9)).toBe(10);
  });

  it("are spelled for who hears them", () => {
    expect(spelled("4821 - 317 592")).toBe("4 8 2 1, 3 1 7, 5 9 2");
  });
});
