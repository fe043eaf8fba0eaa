import { expect, test } from "vitest";

import type { PeerCounters, RoomPhase } from "../../engine/messages.ts";
import { emptyView, withTurn, type EngineView } from "../../engine/view.ts";
import { workDone } from "./quiet.ts";
import { emptyRoom, plainPeer } from "./testing.ts";

function roomView(phase: RoomPhase, counters: Partial<PeerCounters> = {}): EngineView {
  const [own, other] = [plainPeer("aa"), plainPeer("bb")];
  const peers = [own, { ...other, counters: { ...other.counters, ...counters } }];
  return { ...emptyView(), status: "in_room", room: { ...emptyRoom(phase), peers } };
}

test("a room that is ready is quiet while no phone does anything", () => {
  const before = workDone(roomView("ready", { stepsRun: 7, bytesFetched: 100 }));
  expect(before).not.toBeNull();
  expect(workDone(roomView("ready", { stepsRun: 7, bytesFetched: 100, bytesReceived: 50 }))).toBe(before);
  expect(workDone(roomView("ready", { stepsRun: 8, bytesFetched: 100 }))).not.toBe(before);
  expect(workDone(roomView("ready", { stepsRun: 7, bytesFetched: 101 }))).not.toBe(before);
});

test("it is not quiet before it is ready, nor while this phone waits for an answer", () => {
  const others: RoomPhase[] = ["connecting", "gathering", "measuring", "planning", "loading", "failed"];
  for (const phase of others) expect(workDone(roomView(phase))).toBeNull();
  expect(workDone(emptyView())).toBeNull();
  const asking = withTurn(roomView("ready"), 1, "Hello");
  expect(workDone(asking)).toBeNull();
  const turns = asking.turns.map((turn) => ({
    ...turn,
    state: "failed" as const,
    error: { code: "busy" as const, message: "" },
  }));
  expect(workDone({ ...asking, turns })).not.toBeNull();
});
