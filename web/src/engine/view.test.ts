import { describe, expect, it } from "vitest";

import type { AnswerStats, FromWorker } from "./messages.ts";
import { conversation, emptyView, reduce, TURNS_KEPT, withTurn, type EngineView } from "./view.ts";

const stats: AnswerStats = {
  promptTokens: 3,
  completionTokens: 2,
  ttftSecs: 0.2,
  decodeTokensPerSec: 20,
  dispatchesPerToken: 6,
  finish: "eos",
  tokens: [1, 2],
  logprobs: [],
};

function after(view: EngineView, ...messages: FromWorker[]): EngineView {
  return messages.reduce(reduce, view);
}

describe("the view", () => {
  const asked = withTurn(withTurn(emptyView(), 1, "one"), 2, "two");

  it("grows the answer that a piece of text belongs to", () => {
    const view = after(asked, { type: "text", ask: 2, delta: "a" }, { type: "text", ask: 2, delta: "b" });
    expect(view.turns.map((turn) => [turn.text, turn.state])).toEqual([
      ["", "waiting"],
      ["ab", "streaming"],
    ]);
  });

  it("keeps an answer as it was when it ended", () => {
    const view = after(
      asked,
      { type: "text", ask: 1, delta: "a" },
      { type: "done", ask: 1, stats },
      { type: "text", ask: 1, delta: "late" },
    );
    expect(view.turns[0]).toEqual({ ask: 1, prompt: "one", text: "a", state: "done", stats });
  });

  it("fails one answer and leaves the room standing", () => {
    const error = { code: "prompt_too_long", message: "", promptTokens: 9, contextTokens: 8 } as const;
    const view = after(asked, { type: "failed", ask: 2, error });
    expect(view.error).toBeNull();
    expect(view.turns.map((turn) => turn.state)).toEqual(["waiting", "failed"]);
  });

  it("ends every open answer with its room, and no finished one", () => {
    const error = { code: "phone_left", message: "Ben left" } as const;
    const view = after(asked, { type: "done", ask: 1, stats }, { type: "failed", ask: null, error });
    expect(view.error).toEqual(error);
    expect(view.turns.map((turn) => turn.state)).toEqual(["done", "failed"]);
  });

  it("makes a conversation of what was answered", () => {
    const error = { code: "busy", message: "" } as const;
    const view = after(
      asked,
      { type: "text", ask: 1, delta: "un" },
      { type: "done", ask: 1, stats },
      { type: "failed", ask: 2, error },
    );
    expect(conversation(view.turns, "three")).toEqual([
      { role: "user", content: "one" },
      { role: "assistant", content: "un" },
      { role: "user", content: "three" },
    ]);
  });

  it("shows the last warning and goes on", () => {
    const view = after(asked, { type: "warning", message: "no room" });
    expect([view.warning, view.error, view.turns]).toEqual(["no room", null, asked.turns]);
  });

  it("knows whether the server brings others in", () => {
    expect(asked.isServerAway, "it has not answered yet").toBeNull();
    const away = after(asked, { type: "server", isThere: false });
    expect([away.isServerAway, away.error, away.turns]).toEqual([true, null, asked.turns]);
    expect(reduce(away, { type: "server", isThere: false })).toBe(away);
    expect(reduce(away, { type: "server", isThere: true }).isServerAway).toBe(false);
  });

  it("forgets the oldest turns beyond its bound", () => {
    let view = emptyView();
    for (let ask = 1; ask <= TURNS_KEPT + 3; ask += 1) view = withTurn(view, ask, "");
    expect(view.turns).toHaveLength(TURNS_KEPT);
    expect(view.turns[0]?.ask).toBe(4);
  });
});
