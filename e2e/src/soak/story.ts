/** What a seed says: the room, who asks what, who is lost how, and at which token. */

import type { Assignment } from "../../../web/src/engine/messages.ts";
import type { Golden } from "../golden.ts";
import { randomFrom } from "../random.ts";

/** Rooms differ in what the phones lend, and so in what they hold of each other's parts. */
export interface RoomKind {
  name: string;
  /** Of every phone. */
  pledge: string;
  assignment: Assignment;
}

export interface Story {
  seed: number;
  kind: RoomKind;
  prompt: string;
  /** Of the phones that are not lost, in the order of the room; the first is the one that started it. */
  asker: number;
  /** Of the phones that joined. */
  victim: number;
  fault: Fault;
  /** It is lost when so many tokens have been seen. */
  token: number;
}

/** All processes of the browser end, or stand still for good. */
export type Fault = "killed" | "frozen";

/** Every room has so many: any two can go on without the third. */
export const PHONES = 3;

export const KINDS: readonly RoomKind[] = [
  // The three have equal parts and copies of the neighbours'.
  { name: "copies", pledge: "share:6:3", assignment: "equal" },
  // The same with less memory: some parts are nowhere else, and have to be loaded.
  { name: "few copies", pledge: "share:2.2:3", assignment: "equal" },
  // Two phones run the model, and the third has nothing to do.
  { name: "planned", pledge: "share:2.2:3", assignment: "best" },
];

/** `answers` are those that are long enough to be interrupted. */
export function storyOf(seed: number, answers: Golden[]): Story {
  const random = randomFrom(seed);
  const below = (count: number): number => Math.floor(count * random());
  const pick = <T>(all: readonly T[]): T => all[below(all.length)] as T;
  return {
    seed,
    kind: pick(KINDS),
    prompt: pick(answers).prompt,
    asker: below(PHONES - 1),
    victim: below(PHONES - 1),
    fault: pick(["killed", "frozen"]),
    token: 1 + below(LAST_TOKEN),
  };
}

/** Enough tokens follow for the phone to be missed. */
const LAST_TOKEN = 48;
