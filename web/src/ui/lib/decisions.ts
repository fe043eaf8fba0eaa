import type { PlanView, RoomView } from "../../engine/messages.ts";
import { phonesInOrder } from "./phones.ts";

/** How the model was shared out from a moment on. */
export interface Decision {
  /** Milliseconds since 1970. */
  at: number;
  /** One sentence. */
  why: string;
  /** The longest that an answer stood still for it; null where none did. */
  pauseSecs: number | null;
  /** In ring order, with the colours and names of that time. */
  parts: { start: number; end: number; colour: string; name: string }[];
}

/** The decisions so far, the oldest first, and what the room has decided since; the same list where that is nothing. */
export function followed(decisions: Decision[], room: RoomView, at: number): Decision[] {
  const { plan } = room;
  if (plan === null || plan.stages.length === 0) return decisions;
  const last = decisions.at(-1);
  const next: Decision = {
    at,
    why: plan.cause ?? plan.reason,
    pauseSecs: plan.pauseSecs,
    parts: partsOf(room, plan),
  };
  if (last === undefined || key(last) !== key(next)) return [...decisions, next].slice(-MOST_DECISIONS);
  if (last.pauseSecs === next.pauseSecs) return decisions;
  return [...decisions.slice(0, -1), { ...last, pauseSecs: next.pauseSecs }];
}

function partsOf(room: RoomView, plan: PlanView): Decision["parts"] {
  const phones = phonesInOrder(room);
  return plan.stages.map(({ peer, start, end }) => {
    const phone = phones.find((one) => one.peer.id === peer);
    return { start, end, colour: phone?.colour ?? "var(--line-strong)", name: phone?.peer.name ?? "" };
  });
}

function key({ why, parts }: Decision): string {
  return JSON.stringify([why, parts.map(({ start, end, name }) => [start, end, name])]);
}

const MOST_DECISIONS = 20;
