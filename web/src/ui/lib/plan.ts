import type { LinkView, PeerView, PlanView, RoomView } from "../../engine/messages.ts";
import { duration } from "./format.ts";
import { phonesInOrder, type Phone } from "./phones.ts";

/** One stretch of a token's way: what a phone computes, and what is then sent on. */
export interface Leg {
  phone: Phone;
  /** Predicted, and what the latest tokens took; null before there are enough. */
  secs: number;
  measuredSecs: number | null;
  hops: Hop[];
}

export interface Hop {
  from: Phone;
  to: Phone;
  /** Predicted, and by what the link was measured to take and has been seen to take since. */
  secs: number;
  latelySecs: number;
}

type Traffic = PlanView["traffic"][number];

/**
 * A token's way through the phones. What is sent stands behind the leg that the receiver waits for; what goes back to
 * the beginning stands behind the last.
 */
export function tokenWay(room: RoomView): Leg[] {
  const phones = new Map(phonesInOrder(room).map((phone) => [phone.peer.id, phone]));
  const stages = room.plan?.stages ?? [];
  let waiting = room.plan?.traffic ?? [];
  return stages.flatMap((stage, index) => {
    const sofar = new Set(stages.slice(0, index + 1).map(({ peer }) => peer));
    const next = stages[index + 1];
    const due = waiting.filter(({ from, to }) => !next || (to === next.peer && sofar.has(from)));
    waiting = waiting.filter((link) => !due.includes(link));
    const phone = phones.get(stage.peer);
    const hops = due.flatMap((one) => hop(phones, room.links, one));
    const { predictedSecs: secs, measuredSecs } = stage;
    return phone ? [{ phone, secs, measuredSecs, hops }] : [];
  });
}

function hop(phones: Map<string, Phone>, links: LinkView[], sent: Traffic): Hop[] {
  const [from, to] = [phones.get(sent.from), phones.get(sent.to)];
  if (!from || !to) return [];
  return [{ from, to, secs: sent.predictedSecs, latelySecs: latelySecs(links, sent) }];
}

/** Half a round trip and the bytes' own time, as the planner counts them, but with the link as it is now. */
function latelySecs(links: LinkView[], { from, to, bytes, predictedSecs }: Traffic): number {
  const link = links.find((one) => one.from === from && one.to === to);
  if (!link || link.bytesPerSec <= 0) return predictedSecs;
  const { rttSecs, rttDrift, bytesPerSec, bytesDrift } = link;
  return (rttSecs * rttDrift) / 2 + (bytes * bytesDrift) / bytesPerSec;
}

/** One piece of the picture of a token's way. */
export interface Piece {
  /** Null between phones. */
  phone: Phone | null;
  secs: number;
  /** Part of the whole, 0 to 1. */
  share: number;
}

export function pieces(legs: Leg[]): Piece[] {
  const bare = legs.flatMap(({ phone, secs, hops }) => [
    { phone, secs },
    ...hops.map((one) => ({ phone: null, secs: one.secs })),
  ]);
  const whole = bare.reduce((sum, { secs }) => sum + secs, 0);
  return bare.map((piece) => ({ ...piece, share: whole > 0 ? piece.secs / whole : 0 }));
}

/** Another way to share the model out, beside this one. */
export interface Comparison {
  key: "this" | "equal" | "alone";
  words: string;
  /** Predicted time of a token; null where the phones' memory is too small for it. */
  secs: number | null;
}

export function comparisons(plan: PlanView, peers: PeerView[]): Comparison[] {
  const alone = plan.bestAlone;
  const fastest = peers.find((peer) => peer.id === alone?.peer);
  return [
    { key: "this", words: "Shared like this", secs: plan.predictedTokenSecs },
    { key: "equal", words: "In equal parts", secs: plan.equalSplitSecs },
    {
      key: "alone",
      words: fastest ? `${fastest.name} alone` : "One phone alone",
      secs: alone?.secs ?? null,
    },
  ];
}

/** How close the plan is to the best that can be. */
export function boundWords({ predictedTokenSecs, lowerBoundSecs, equalSplitSecs }: PlanView): string {
  const least = predictedTokenSecs * (1 - 1e-6);
  // After a change in the midst of things phones run only what they hold.
  if (equalSplitSecs !== null && equalSplitSecs < least)
    return "Made of what the phones had loaded already. Other ways may be faster.";
  if (lowerBoundSecs >= least) return "No other way to share it out is faster.";
  return `No way to share it out can take less than ${duration(lowerBoundSecs)}.`;
}

/** How long an answer stood still for a plan, where one did. */
export function pauseWords({ pauseSecs }: PlanView): string {
  return pauseSecs === null ? "" : `The answer stood still for ${duration(pauseSecs)}.`;
}

/** Why phones hold no part, in sentences that name them. */
export function leftOut(room: RoomView): { peer: string; words: string }[] {
  const { plan } = room;
  if (plan === null) return [];
  const told = plan.unused.map(({ peer, reason }) => ({ peer, words: reason }));
  const idle = room.peers.filter((peer) => peer.remark !== null && !isInPlan(plan, peer.id));
  return [...told, ...idle.map((peer) => ({ peer: peer.id, words: `${peer.name}: ${peer.remark}` }))];
}

/** Whether the plan knows this phone, with a part or without. */
export function isInPlan(plan: PlanView, peer: string): boolean {
  return [...plan.stages, ...plan.unused].some((one) => one.peer === peer);
}
