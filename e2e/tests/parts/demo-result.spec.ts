import { expect, test } from "@playwright/test";

import { demoResult, type Answered } from "../../src/demo-result.ts";

const COUNTS = { rooms: 0, peers: 0, signaling_bytes: 10, relayed_bytes: 7, turn_bytes: 20 };

test("the tokens match when they are the same, and only then", () => {
  const matches = (alone: number[]): boolean =>
    demoResult(answered([3, 1, 2]), answered(alone), COUNTS).matches_single_device;
  expect(matches([3, 1, 2])).toBe(true);
  for (const other of [[3, 1], [3, 1, 2, 2], [3, 2, 1], []]) expect(matches(other), `${other}`).toBe(false);
});

test("the activations are those that the server counted", () => {
  const result = demoResult(answered([3]), answered([3]), COUNTS);
  expect(result.activation_bytes_through_server).toBe(COUNTS.relayed_bytes + COUNTS.turn_bytes);
});

/** A room of one phone that answered with these tokens. */
function answered(tokens: number[]): Answered {
  const stage = {
    peer: "0000000a",
    start: 0,
    end: 6,
    weightsBytes: 100,
    predictedSecs: 0.1,
    measuredSecs: null,
  };
  return {
    turn: {
      ask: 1,
      prompt: "Once",
      text: " upon",
      state: "done",
      stats: {
        promptTokens: 1,
        completionTokens: tokens.length,
        ttftSecs: 0.1,
        decodeTokensPerSec: 10,
        dispatchesPerToken: 12,
        finish: "length",
        logprobs: [],
        tokens,
      },
    },
    room: {
      phase: "ready",
      me: stage.peer,
      coordinator: stage.peer,
      peers: [],
      door: null,
      asking: null,
      measuring: null,
      plan: {
        stages: [stage],
        overlap: [],
        traffic: [],
        predictedTokenSecs: 0.1,
        measuredTokenSecs: null,
        lowerBoundSecs: 0.1,
        reason: "",
        cause: null,
        pauseSecs: null,
        equalSplitSecs: null,
        bestAlone: null,
        unused: [],
      },
      model: null,
      links: [],
      error: null,
    },
  };
}
