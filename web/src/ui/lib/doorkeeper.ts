/** Keeps what this phone remembers of others, and what its rooms know of that, of one mind. */

import type { Engine } from "../../engine/engine.ts";
import type { ErrorCode, Identity, PeerView, RoomView } from "../../engine/messages.ts";
import type { EngineView } from "../../engine/view.ts";
import type { Hosts } from "./hosts.ts";
import type { TrustedPhones } from "./trust.ts";

type Door = Pick<Engine, "view" | "trust" | "remove">;

/** Whoever is put on the list may come in, whoever is taken off it leaves, and whoever is in was seen. Until it is called. */
export function keepDoor(engine: Door, trusted: TrustedPhones, now: () => number = Date.now): () => void {
  /** What rooms were told last; what changed before this one was there is told once it is. */
  let known = identities(trusted);
  let hasDoor = false;
  let here: string[] = [];
  const tell = (): void => {
    if (!hasDoor) return;
    const before = known;
    known = identities(trusted);
    const gone = before.filter((identity) => !known.includes(identity));
    if (gone.length === 0 && known.length === before.length) return;
    for (const identity of gone) engine.remove(identity);
    engine.trust(known);
  };
  const seen = engine.view.subscribe(({ room }) => {
    const guests = room?.door ? guestsIn(room) : [];
    const before = here;
    here = guests.map(({ identity }) => identity);
    trusted.spared = here;
    for (const { identity, name, device } of guests)
      if (!before.includes(identity)) trusted.seen({ identity, name, device }, now());
    const isNew = !hasDoor;
    hasDoor = Boolean(room?.door);
    if (isNew) tell();
  });
  const listed = trusted.items.subscribe(tell);
  return () => {
    listed();
    seen();
  };
}

/** Calls `then` as soon as somebody who had been let in is not any more: nothing must bring it back. Until it is called. */
export function watchRemovals(engine: Pick<Engine, "view">, then: () => void): () => void {
  let before: Identity[] = [];
  return engine.view.subscribe(({ room }) => {
    const now = room?.door?.admitted ?? [];
    const isGone = room?.door && before.some((identity) => !now.includes(identity));
    before = now;
    if (isGone) then();
  });
}

/** A phone that remembers this one is kept, and forgotten when it does not know this one any more. Until it is called. */
export function keepHosts(
  engine: Pick<Engine, "view">,
  hosts: Hosts,
  expected: () => string | null,
  now: () => number = Date.now,
): () => void {
  let before: EngineView["remembered"] = null;
  return engine.view.subscribe(({ remembered, room }) => {
    if (remembered && remembered !== before) hosts.put({ ...remembered, seenMs: now() });
    before = remembered;
    const identity = remembered?.identity ?? expected();
    if (identity !== null && UNKNOWN.includes(room?.error?.code) && hosts.get(identity))
      hosts.remove(identity);
  });
}

/** The phones that are in a room, besides this one. */
export function guestsIn({ peers }: RoomView): (PeerView & { identity: string })[] {
  return peers.filter(
    (peer): peer is PeerView & { identity: string } =>
      !peer.me && peer.link === "open" && peer.identity !== null,
  );
}

/** With these a phone says that it does not remember this one. */
const UNKNOWN: (ErrorCode | undefined)[] = ["removed", "expired"];

export function identities(trusted: TrustedPhones): Identity[] {
  return trusted.items.value.map(({ identity }) => identity);
}
