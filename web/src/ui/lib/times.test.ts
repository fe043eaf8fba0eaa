import { expect, it } from "vitest";

import type { LinkView, PlanView, RoomView } from "../../engine/messages.ts";
import { followed, type Decision } from "./decisions.ts";
import { emptyPlan, emptyRoom, plainPeer } from "./testing.ts";
import { phoneTimes, timeWords } from "./times.ts";

function stage(
  peer: string,
  start: number,
  end: number,
  measuredSecs: number | null,
): PlanView["stages"][number] {
  return { peer, start, end, weightsBytes: 1, predictedSecs: 0.02, measuredSecs };
}

function roomWith(plan: Partial<PlanView>): RoomView {
  const stages = [stage("aa", 0, 4, 0.03), stage("bb", 4, 6, null)];
  const traffic = [
    { from: "aa", to: "bb", bytes: 9, predictedSecs: 0.004 },
    { from: "bb", to: "aa", bytes: 9, predictedSecs: 0.001 },
  ];
  const whole = { ...emptyPlan(), stages, traffic, measuredTokenSecs: 0.06, reason: "Best so.", ...plan };
  return { ...emptyRoom("ready"), peers: [plainPeer("aa"), plainPeer("bb")], plan: whole };
}

/** Half a round trip takes 2 ms, and the 9 bytes of a token 1 ms, unless it drifts. */
function link(from: string, to: string, rttDrift: number, bytesDrift: number): LinkView {
  const spreads = { rttSpreadSecs: 0, bytesPerSecSpread: 0 };
  return { from, to, rttSecs: 0.004, bytesPerSec: 9000, ...spreads, rttDrift, bytesDrift };
}

it("a phone computes, sends and waits for as long as a token takes", () => {
  const times = phoneTimes(roomWith({}));
  expect(times.map(({ phone }) => phone.peer.id)).toEqual(["aa", "bb"]);
  expect(times.map(({ waitSecs }) => waitSecs.toFixed(3))).toEqual(["0.026", "0.039"]);
  expect(times.map(timeWords)).toEqual([
    "aa computes 30 ms, sends 4 ms, waits 26 ms.",
    "bb computes 20 ms, sends 1 ms, waits 39 ms.",
  ]);
  for (const { share } of times) expect(share.compute + share.send + share.wait).toBeCloseTo(1);
});

it("what a phone sends takes what its link takes lately, whatever was predicted", () => {
  const sent = (...links: LinkView[]): string[] =>
    phoneTimes({ ...roomWith({}), links }).map(({ sendSecs }) => sendSecs.toFixed(6));
  expect(sent(link("aa", "bb", 1, 1))).toEqual(["0.003000", "0.001000"]);
  expect(sent(link("aa", "bb", 3, 1), link("bb", "aa", 1, 4))).toEqual(["0.007000", "0.006000"]);
  expect(sent({ ...link("aa", "bb", 1, 1), bytesPerSec: 0 })).toEqual(["0.004000", "0.001000"]);
  const [first] = phoneTimes({ ...roomWith({}), links: [link("aa", "bb", 3, 1)] });
  expect(first?.waitSecs.toFixed(6)).toBe("0.023000");
  expect(first?.share.send).toBeCloseTo(0.007 / 0.06, 6);
});

it("a header that closes the ring is one phone", () => {
  const stages = [stage("aa", 0, 4, 0.01), stage("bb", 4, 6, 0.02), stage("aa", 6, 8, 0.03)];
  const [first] = phoneTimes(roomWith({ stages }));
  expect(first?.computeSecs).toBeCloseTo(0.04);
});

it("what is decided is kept, with how long it took", () => {
  const list = (...rooms: RoomView[]): Decision[] =>
    rooms.reduce((sofar, room, at) => followed(sofar, room, at), [] as Decision[]);
  const before = roomWith({});
  expect(list(emptyRoom("ready"))).toEqual([]);
  expect(list(before, before)).toHaveLength(1);
  const cause = "Ben is slow, so 1 part of the model moved.";
  const stages = [stage("aa", 0, 5, null), stage("bb", 5, 6, null)];
  const after = list(before, roomWith({ cause, stages }), roomWith({ cause, stages, pauseSecs: 0.2 }));
  expect(after.map(({ at, why, pauseSecs }) => [at, why, pauseSecs])).toEqual([
    [0, "Best so.", null],
    [1, cause, 0.2],
  ]);
  expect(after[1]?.parts.map(({ name, start, end }) => [name, start, end])).toEqual([
    ["aa", 0, 5],
    ["bb", 5, 6],
  ]);
});
