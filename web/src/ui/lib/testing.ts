/** Rooms for tests, with as little in them as can be. */

import type { DoorConfig, PeerView, PlanView, RoomPhase, RoomView } from "../../engine/messages.ts";

/** A door at which a person is asked about everybody, and that nobody remembers. */
export const plainDoor: DoorConfig = {
  admitsAll: false,
  locked: false,
  trusted: [],
  admitted: [],
  coordinator: null,
  ticketKey: null,
  opening: null,
  nextSecret: null,
  lifeSecs: 600,
};

export function emptyRoom(phase: RoomPhase): RoomView {
  const nothing = {
    door: null,
    asking: null,
    measuring: null,
    plan: null,
    model: null,
    links: [],
    error: null,
  };
  return { phase, me: "aa", coordinator: "aa", peers: [], ...nothing };
}

export function emptyPlan(): PlanView {
  const times = { predictedTokenSecs: 1, measuredTokenSecs: null, lowerBoundSecs: 1, equalSplitSecs: null };
  return {
    stages: [],
    overlap: [],
    traffic: [],
    ...times,
    reason: "",
    cause: null,
    pauseSecs: null,
    bestAlone: null,
    unused: [],
  };
}

/** A phone that is linked and has said nothing yet. */
export function plainPeer(id: string): PeerView {
  const work = { stepsRun: 0, rowsRun: 0, dispatches: 0 };
  return {
    id,
    name: id,
    device: "",
    me: false,
    coordinator: false,
    identity: null,
    link: "open",
    flopsPerSec: null,
    flopsPerSecSpread: null,
    remark: null,
    pledgeBytes: null,
    usedBytes: 0,
    stage: null,
    loadedBytes: 0,
    totalBytes: 0,
    ready: false,
    waitingRows: 0,
    counters: { ...work, bytesFetched: 0, bytesSent: 0, bytesReceived: 0 },
  };
}
