import { describe, expect, it } from "vitest";

import type { PlanView, RoomView } from "../../engine/messages.ts";
import { fitOf } from "./fit.ts";
import { newcomers, newcomerWords } from "./newcomers.ts";
import { boundWords, comparisons, leftOut, pieces, tokenWay } from "./plan.ts";
import { emptyPlan, emptyRoom, plainPeer } from "./testing.ts";

describe("a token's way", () => {
  const legs = (ids: string[], hops: string[]): unknown[] =>
    tokenWay(roomOf(ids, hops)).map((leg) => [
      leg.phone.peer.id,
      ...leg.hops.map(({ from, to }) => `${from.peer.id}>${to.peer.id}`),
    ]);

  it("goes from phone to phone and back to the first", () => {
    expect(legs(["aa", "bb", "cc"], ["cc>aa", "aa>bb", "bb>cc"])).toEqual([
      ["aa", "aa>bb"],
      ["bb", "bb>cc"],
      ["cc", "cc>aa"],
    ]);
    expect(legs(["aa"], [])).toEqual([["aa"]]);
  });

  it("ends on the first phone where the ring is closed", () => {
    expect(legs(["aa", "bb", "aa"], ["aa>bb", "bb>aa"])).toEqual([["aa", "aa>bb"], ["bb", "bb>aa"], ["aa"]]);
  });

  it("waits for what comes from further up before its receiver computes", () => {
    expect(legs(["aa", "bb", "cc"], ["aa>cc", "aa>bb", "bb>cc", "cc>aa"])).toEqual([
      ["aa", "aa>bb"],
      ["bb", "aa>cc", "bb>cc"],
      ["cc", "cc>aa"],
    ]);
  });

  it("leaves out phones that are gone", () => {
    const room = roomOf(["aa", "bb"], ["aa>bb", "bb>aa"]);
    const left = tokenWay({ ...room, peers: room.peers.filter(({ id }) => id === "aa") });
    expect(left.map(({ phone, hops }) => [phone.peer.id, hops])).toEqual([["aa", []]]);
  });

  it("is drawn in pieces that make up the whole", () => {
    const drawn = pieces(tokenWay(roomOf(["aa", "bb"], ["aa>bb", "bb>aa"])));
    expect(drawn.map(({ phone, share }) => [phone?.peer.id ?? "", share])).toEqual([
      ["aa", 0.375],
      ["", 0.125],
      ["bb", 0.375],
      ["", 0.125],
    ]);
    expect(pieces([])).toEqual([]);
  });
});

describe("a plan", () => {
  const room = roomOf(["aa", "bb"], []);

  it("stands beside equal parts and the fastest phone alone", () => {
    const told = (more: Partial<PlanView>): unknown[] =>
      comparisons({ ...emptyPlan(), ...more }, room.peers).map(({ key, words, secs }) => [key, words, secs]);
    expect(told({ equalSplitSecs: 2, bestAlone: { peer: "bb", secs: 3 } })).toEqual([
      ["this", "Shared like this", 1],
      ["equal", "In equal parts", 2],
      ["alone", "bb alone", 3],
    ]);
    expect(told({}).slice(1)).toEqual([
      ["equal", "In equal parts", null],
      ["alone", "One phone alone", null],
    ]);
  });

  it("says whether another could be faster", () => {
    expect(boundWords({ ...emptyPlan(), predictedTokenSecs: 0.05, lowerBoundSecs: 0.05 })).toMatch(
      /No other/,
    );
    expect(boundWords({ ...emptyPlan(), predictedTokenSecs: 0.05, lowerBoundSecs: 0.044 })).toMatch(/44 ms/);
    const held = { ...emptyPlan(), predictedTokenSecs: 0.05, lowerBoundSecs: 0.05, equalSplitSecs: 0.04 };
    expect(boundWords(held)).toMatch(/had loaded/);
  });

  it("says why a phone got nothing, once", () => {
    const remark = "It runs no part.";
    const idle = ["cc", "dd", "ee"].map((id) => ({ ...plainPeer(id), remark: id === "ee" ? null : remark }));
    const unused = [{ peer: "cc", reason: "cc is too far away." }];
    const crowded = { ...planned(room, { unused }), peers: [...room.peers, ...idle] };
    expect(leftOut(crowded)).toEqual([
      { peer: "cc", words: "cc is too far away." },
      { peer: "dd", words: "dd: It runs no part." },
    ]);
    expect(leftOut(emptyRoom("gathering"))).toEqual([]);
  });
});

describe("newcomers", () => {
  const room = roomOf(["aa", "bb"], []);
  const also = (...ids: string[]): RoomView => ({
    ...room,
    peers: [...room.peers, ...ids.map((id) => ({ ...plainPeer(id), name: id.toUpperCase() }))],
  });
  const ids = (view: RoomView): string[] => newcomers(view).map(({ id }) => id);

  it("are linked, without a part, and not known to the plan", () => {
    expect(ids(also("cc"))).toEqual(["cc"]);
    expect(ids(planned(also("cc"), { unused: [{ peer: "cc", reason: "" }] }))).toEqual([]);
    expect(ids({ ...also("cc"), phase: "loading" })).toEqual([]);
    expect(ids({ ...also("cc"), plan: null })).toEqual([]);
    const changed = (change: object): RoomView => ({
      ...room,
      peers: [...room.peers, { ...plainPeer("cc"), ...change }],
    });
    expect(ids(changed({ link: "lost" }))).toEqual([]);
    expect(ids(changed({ link: "lost", me: true }))).toEqual(["cc"]);
    expect(ids(changed({ remark: "It runs no part." }))).toEqual([]);
  });

  it("are offered to the coordinator, and told to the others", () => {
    expect(newcomerWords(also("cc"))).toBe("CC is here too. Share the model out again?");
    const seenBy = (me: string, view: RoomView): RoomView => {
      const peers = view.peers.map((peer) => ({ ...peer, me: peer.id === me }));
      return { ...view, me, coordinator: "aa", peers };
    };
    const crowd = also("cc", "dd");
    expect(newcomerWords(seenBy("bb", crowd))).toBe(
      "CC and DD are here too; aa can share the model out again.",
    );
    expect(newcomerWords(seenBy("dd", crowd))).toMatch(/^You and CC are here too; aa can/);
  });
});

describe("what does not fit", () => {
  it("is told from what the phones lend that are there", () => {
    const model = {
      name: "",
      url: "",
      modules: 6,
      weightsBytes: 100,
      contextTokens: 1,
      takesChats: false,
      labels: [],
    };
    const lends = (id: string, pledgeBytes: number | null, link: "open" | "lost" = "open"): object => ({
      ...plainPeer(id),
      pledgeBytes,
      link,
    });
    const peers = [lends("aa", 30), lends("bb", 50, "lost"), lends("cc", null), lends("dd", 20)];
    const room = { ...emptyRoom("failed"), peers, model } as RoomView;
    expect(fitOf(room)).toMatchObject({ neededBytes: 100, lentBytes: 50, missingBytes: 50 });
    expect(fitOf(room)?.lenders.map(({ phone, bytes }) => [phone.peer.id, bytes])).toEqual([
      ["aa", 30],
      ["cc", 0],
      ["dd", 20],
    ]);
    expect(fitOf({ ...room, model: { ...model, weightsBytes: 10 } })?.missingBytes).toBe(0);
    expect(fitOf(emptyRoom("failed"))).toBeNull();
  });
});

/** A stage takes three times as long as a hop. */
function roomOf(ids: string[], hops: string[]): RoomView {
  const stages = ids.map((peer, index) => ({
    peer,
    start: index,
    end: index + 1,
    weightsBytes: 1,
    predictedSecs: 0.03,
    measuredSecs: null,
  }));
  const links = hops.map((hop) => {
    const [from = "", to = ""] = hop.split(">");
    return { from, to, bytes: 1, predictedSecs: 0.01 };
  });
  const peers = [...new Set(ids)].map((id) => ({
    ...plainPeer(id),
    me: id === "aa",
    coordinator: id === "aa",
    stage: { start: 0, end: 1, weightsBytes: 1 },
  }));
  return { ...emptyRoom("ready"), peers, plan: { ...emptyPlan(), stages, traffic: links } };
}

function planned(room: RoomView, more: Partial<PlanView>): RoomView {
  return { ...room, plan: { ...emptyPlan(), ...room.plan, ...more } };
}
