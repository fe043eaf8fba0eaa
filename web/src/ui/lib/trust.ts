/** The phones that come into this phone's rooms without being asked about. */

import type { RoomView } from "../../engine/messages.ts";
import { KeptList, type Keeper, type Known } from "./keeping.ts";

export interface TrustedPhone extends Known {
  /** As this phone's owner calls it; empty where its own name does. */
  alias: string;
  device: string;
  /** When it was let in first, in milliseconds since 1970. */
  sinceMs: number;
}

/** More than anybody invites; each is one line of the list that the engine gets. */
export const MOST_TRUSTED = 64;
const LONGEST_NAME = 40;

export class TrustedPhones extends KeptList<TrustedPhone> {
  constructor(keeper?: Keeper | null) {
    const isOne = ({ alias, device, sinceMs }: TrustedPhone): boolean =>
      [alias, device].every((text) => typeof text === "string") && Number.isFinite(sinceMs);
    super({ key: "lingualinked.trusted", most: MOST_TRUSTED, isOne }, keeper);
  }

  /** It was let in, to be let in from now on. */
  trust(phone: { identity: string; name: string; device: string }, nowMs: number): void {
    const before = this.get(phone.identity);
    const { identity, device } = phone;
    const name = clip(phone.name);
    this.put({
      identity,
      name,
      device,
      alias: before?.alias ?? "",
      sinceMs: before?.sinceMs ?? nowMs,
      seenMs: nowMs,
    });
  }

  /** It is here; its owner may have given it another name. Says nothing of a phone that is not trusted. */
  seen(phone: { identity: string; name: string; device: string }, nowMs: number): void {
    this.change(phone.identity, { name: clip(phone.name), device: phone.device, seenMs: nowMs });
  }

  rename(identity: string, alias: string): void {
    const phone = this.get(identity);
    const wanted = clip(alias.trim());
    if (phone) this.change(identity, { alias: wanted === phone.name ? "" : wanted });
  }
}

/** What to call it here. */
export function nameOf({ alias, name, device }: Pick<TrustedPhone, "alias" | "name" | "device">): string {
  return alias || name || device;
}

/** The room with the names that this phone's owner gave to others; only on this screen. */
export function withAliases(room: RoomView, trusted: TrustedPhone[]): RoomView {
  const aliases = new Map(
    trusted.filter(({ alias }) => alias).map(({ identity, alias }) => [identity, alias]),
  );
  if (aliases.size === 0 || room.door === null) return room;
  const peers = room.peers.map((peer) => {
    const alias = peer.me ? undefined : aliases.get(peer.identity ?? "");
    return alias === undefined ? peer : { ...peer, name: alias };
  });
  return { ...room, peers };
}

function clip(text: string): string {
  return [...text].slice(0, LONGEST_NAME).join("");
}
