import type { PeerView, PlanView, RoomView } from "../../engine/messages.ts";

/** How many colours the theme has: `--phone-0` and on. */
export const COLOURS = 8;

/** A phone with its place in the picture. */
export interface Phone {
  peer: PeerView;
  /** A CSS colour. */
  colour: string;
  /** What it holds of the model, over all its stages: the header may run the first and the last. */
  modules: number;
  weightsBytes: number;
  /** Modules of its neighbours' parts that it holds asleep, to take work over later. */
  copies: number;
}

/**
 * The phones in the order in which the model passes through them, those without a stage last. The order gives the
 * colour, so that every screen in the room shows the same one.
 */
export function phonesInOrder(room: RoomView): Phone[] {
  const stages = room.plan?.stages ?? [];
  const place = new Map(stages.map((stage, index) => [stage.peer, index] as const).reverse());
  const rank = (peer: PeerView): number =>
    place.get(peer.id) ?? (peer.coordinator ? place.size : place.size + 1);
  const peers = [...room.peers].sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id));
  return peers.map((peer, index) => {
    const own = stages.filter((stage) => stage.peer === peer.id);
    const modules = moduleCount(own);
    const weightsBytes = own.reduce((sum, stage) => sum + stage.weightsBytes, 0);
    const copies = moduleCount(copiesOf(room).filter((copy) => copy.peer === peer.id));
    return { peer, modules, weightsBytes, copies, colour: `var(--phone-${index % COLOURS})` };
  });
}

/** One piece of the bar that shows the whole model. */
export interface Segment {
  phone: Phone;
  start: number;
  end: number;
  /** Part of this piece that has been loaded, 0 to 1. */
  loaded: number;
  /** The phones that hold a second copy of some of its modules. */
  copies: Copy[];
}

export interface Copy {
  phone: Phone;
  start: number;
  end: number;
}

export function segments(room: RoomView): Segment[] {
  const phones = phonesInOrder(room);
  return (room.plan?.stages ?? []).flatMap(({ peer, start, end }) => {
    const phone = phones.find((candidate) => candidate.peer.id === peer);
    const copies = copiesWithin(room, phones, start, end);
    return phone ? [{ phone, start, end, loaded: loadedPart(phone.peer), copies }] : [];
  });
}

/** Bytes loaded and to load, over all phones. */
export function loadTotals(room: RoomView): { loadedBytes: number; totalBytes: number } {
  const sum = (field: "loadedBytes" | "totalBytes"): number =>
    room.peers.reduce((total, peer) => total + peer[field], 0);
  return { loadedBytes: sum("loadedBytes"), totalBytes: sum("totalBytes") };
}

export function coordinatorName(room: RoomView): string {
  const coordinator = room.peers.find((peer) => peer.coordinator);
  if (!coordinator) return "the phone that started the room";
  return coordinator.me ? "you" : coordinator.name;
}

function moduleCount(ranges: { start: number; end: number }[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

function copiesOf(room: RoomView): PlanView["overlap"] {
  return room.plan?.overlap ?? [];
}

function copiesWithin(room: RoomView, phones: Phone[], from: number, to: number): Copy[] {
  return copiesOf(room).flatMap(({ peer, ...copy }) => {
    const [start, end] = [Math.max(from, copy.start), Math.min(to, copy.end)];
    const phone = phones.find((candidate) => candidate.peer.id === peer);
    return phone && start < end ? [{ phone, start, end }] : [];
  });
}

function loadedPart(peer: PeerView): number {
  if (peer.ready) return 1;
  return peer.totalBytes > 0 ? Math.min(1, peer.loadedBytes / peer.totalBytes) : 0;
}
