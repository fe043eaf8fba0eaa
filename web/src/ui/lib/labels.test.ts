import { render } from "svelte/server";
import { describe, expect, it } from "vitest";

import type { AnswerStats, ModelView } from "../../engine/messages.ts";
import type { Turn } from "../../engine/view.ts";
import TurnView from "../TurnView.svelte";
import { inviting } from "./inviting.ts";
import { labelShares, otherLabels } from "./labels.ts";

const LABELS = ["glad", "so-so", "sad"];

/** Of the labels 2, 0 and 1. */
function answer(...shares: number[]): AnswerStats {
  const alternatives = shares.map((share, place) => ({
    token: [2, 0, 1][place] ?? 9,
    logprob: Math.log(share),
  }));
  const logprobs = [{ chosen: Math.log(shares[0] ?? 1), alternatives }];
  return {
    promptTokens: 12,
    completionTokens: 1,
    ttftSecs: 0.34,
    decodeTokensPerSec: 0,
    dispatchesPerToken: 0,
    finish: "eos",
    tokens: [2],
    logprobs,
  };
}

describe("what a text is", () => {
  it("is said with the share of each label, likeliest first", () => {
    const shares = labelShares(LABELS, answer(0.913, 0.0846, 0.0024));
    expect(shares.map(({ name, words }) => [name, words])).toEqual([
      ["sad", "91 %"],
      ["glad", "8 %"],
      ["so-so", "under 1 %"],
    ]);
    expect(shares[0]?.share).toBeCloseTo(0.913, 12);
    expect(otherLabels(LABELS, shares)).toBe("");
  });

  it("is never certain by rounding, and unknown without an answer", () => {
    expect(labelShares(LABELS, answer(0.9999, 0)).map(({ words }) => words)).toEqual(["over 99 %", "0 %"]);
    expect(labelShares(LABELS, { ...answer(1), logprobs: [] })).toEqual([]);
    expect(labelShares([], answer(1))).toEqual([]);
  });

  it("names how many labels did not come with it", () => {
    const many = [...LABELS, "odd", "even"];
    expect(otherLabels(many, labelShares(many, answer(0.5, 0.3, 0.1)))).toBe("and 2 that are less likely");
    expect(otherLabels(LABELS, labelShares(LABELS, answer(0.5, 0.3)))).toBe("and one that is less likely");
  });
});

describe("a turn", () => {
  const turn: Turn = { ask: 1, prompt: "A text.", text: "sad", state: "done", stats: answer(0.75, 0.25) };
  const html = (labels: string[]): string =>
    render(TurnView, { props: { turn, labels, edit: undefined } }).body;

  it("has a bar for each label and no tokens a second", () => {
    const body = html(LABELS);
    expect(body.match(/width:\s*(75|25)%/g)).toHaveLength(2);
    expect(body).toContain("75 %");
    expect(body).toContain("after 340 ms");
    expect(body).not.toContain("tokens/s");
  });

  it("of a model that goes on with texts has none", () => {
    const body = html([]);
    expect(body).not.toContain("labels");
    expect(body).toContain("tokens/s");
  });
});

describe("a room", () => {
  const model: ModelView = {
    name: "",
    url: "",
    modules: 6,
    weightsBytes: 100,
    contextTokens: 1,
    takesChats: false,
    labels: [],
  };

  it("invites to what its model does", () => {
    expect(inviting({ ...model, labels: LABELS }).lead).toBe("Write a text, and your phones say what it is.");
    expect(inviting({ ...model, takesChats: true }).lead).toContain("your phones answer");
    expect(inviting(model)).toEqual(inviting(null));
  });
});
