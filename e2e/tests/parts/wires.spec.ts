import { wireResults, type WireRun } from "../../src/bench/wires.ts";
import { expect, test } from "../fixtures.ts";

const run = (wire: WireRun["wire"], millis: number, tokens: number[]): WireRun => ({
  round: 1,
  wire,
  first_token_secs: 1,
  token_millis: millis,
  bytes_per_token: 100,
  tokens,
});

test("wire types are told by their medians, and by how long their tokens are those of floats", () => {
  const runs = [
    run("f32", 3, [1, 2, 3, 4]),
    run("f16", 2, [1, 2, 3, 4]),
    run("int8", 1, [1, 2, 9, 4]),
    run("f32", 5, [1, 2, 3, 4]),
    run("f32", 4, [1, 2, 3, 4]),
  ];
  const [f32, f16, int8] = wireResults(runs);
  expect(f32).toMatchObject({ wire: "f32", token_millis: 4, same_tokens: 4 });
  expect(f16).toMatchObject({ wire: "f16", token_millis: 2, same_tokens: 4 });
  expect(int8).toMatchObject({ wire: "int8", token_millis: 1, same_tokens: 2 });
});
