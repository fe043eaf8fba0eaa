/** What a phone runs of the model, and what it may fetch for it. */

import type { PeerView, RoomView } from "../../web/src/engine/messages.ts";
import { tensorsOfStage, type GgufIndex } from "./gguf.ts";
import { merge, type Span } from "./spans.ts";

/** Half-open module ranges of a phone: one, or two where the ring closes on the header. */
export function rangesOf(room: RoomView, peer: string): { start: number; end: number }[] {
  return (room.plan?.stages ?? []).filter((stage) => stage.peer === peer);
}

/** Whether the plan's stages follow each other from the first module to the last. */
export function isWholeModel(room: RoomView): boolean {
  const stages = room.plan?.stages ?? [];
  const follow = stages.every(
    (stage, at) => stage.start === (stages[at - 1]?.end ?? 0) && stage.start < stage.end,
  );
  return follow && stages.at(-1)?.end === room.model?.modules;
}

/** How many of a phone's modules are attention or feed-forward, and how many are the model's ends. */
export function moduleKinds(room: RoomView, peer: string): { inner: number; ends: number } {
  const last = (room.model?.modules ?? 0) - 1;
  const modules = rangesOf(room, peer).flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, at) => start + at),
  );
  const ends = modules.filter((module) => module === 0 || module === last).length;
  return { inner: modules.length - ends, ends };
}

/** The bytes of the tensors of a phone's stages and copies, with the padding between neighbours. */
export function ownSpans(index: GgufIndex, room: RoomView, peer: string): Span[] {
  const copies = (room.plan?.overlap ?? []).filter((copy) => copy.peer === peer);
  const tensors = [...rangesOf(room, peer), ...copies].flatMap(({ start, end }) =>
    tensorsOfStage(index, start, end),
  );
  return merge(tensors, index.alignment - 1);
}

/** What everybody may read to find its tensors: the front, in reads that double until it is complete. */
export function frontSpan(index: GgufIndex, fileBytes: number): Span {
  let end = FIRST_READ_BYTES;
  while (end < index.frontBytes) end *= 2;
  return { start: 0, end: Math.min(end, fileBytes) };
}

export function ownView(room: RoomView): PeerView {
  const mine = room.peers.find(({ me }) => me);
  if (!mine) throw new Error("the room does not show this phone");
  return mine;
}

const FIRST_READ_BYTES = 32 * 1024;
