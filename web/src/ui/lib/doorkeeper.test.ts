import { describe, expect, it } from "vitest";

import type { ErrorCode, PeerView, RoomView } from "../../engine/messages.ts";
import { Store } from "../../engine/store.ts";
import { emptyView, type EngineView } from "../../engine/view.ts";
import { keepDoor, keepHosts, watchRemovals } from "./doorkeeper.ts";
import { randomSecret } from "./home.ts";
import { Hosts } from "./hosts.ts";
import { emptyRoom, plainPeer } from "./testing.ts";
import { MOST_TRUSTED, TrustedPhones } from "./trust.ts";

const [ANN, BEN] = ["a".repeat(64), "b".repeat(64)] as const;

function guest(identity: string, link: PeerView["link"] = "open"): PeerView {
  return {
    ...plainPeer(identity.slice(0, 8)),
    name: identity.slice(0, 1),
    device: "Pixel 8a",
    identity,
    link,
  };
}

/** A room that this phone has started. */
function roomWith(...guests: PeerView[]): RoomView {
  const door = { locked: false, admitsAll: false, askers: [], admitted: [] };
  return { ...emptyRoom("gathering"), door, peers: [{ ...plainPeer("aa"), me: true }, ...guests] };
}

function engine(): {
  view: Store<EngineView>;
  said: string[];
  trust: (identities: string[]) => void;
  remove: (identity: string) => void;
} {
  const said: string[] = [];
  return {
    view: new Store(emptyView()),
    said,
    trust: (identities) => void said.push(`trust ${identities.map((one) => one.slice(0, 1)).join("")}`),
    remove: (identity) => void said.push(`remove ${identity.slice(0, 1)}`),
  };
}

function trust(trusted: TrustedPhones, identity: string, nowMs = 1): void {
  trusted.trust({ identity, name: "?", device: "" }, nowMs);
}

describe("the door", () => {
  it("knows who is put on the list and who is taken off it, while the room is there", () => {
    const [worker, trusted] = [engine(), new TrustedPhones(null)];
    const stop = keepDoor(worker, trusted);
    trust(trusted, ANN);
    expect(worker.said).toEqual([]);
    worker.view.set({ ...emptyView(), room: roomWith() });
    trust(trusted, BEN, 2);
    trusted.rename(BEN, "Benjamin");
    trusted.remove(ANN);
    expect(worker.said.slice(1)).toEqual(["trust ba", "remove a", "trust b"]);
    stop();
    trusted.remove(BEN);
    expect(worker.said).toHaveLength(4);
  });

  it("knows of what changed on the list while the room was not there yet", () => {
    const [worker, trusted] = [engine(), new TrustedPhones(null)];
    trust(trusted, ANN);
    keepDoor(worker, trusted);
    worker.view.set({ ...emptyView(), status: "loading" });
    trusted.remove(ANN);
    trust(trusted, BEN);
    expect(worker.said).toEqual([]);
    worker.view.set({ ...emptyView(), room: roomWith() });
    worker.view.set({ ...emptyView(), room: roomWith(guest(BEN)) });
    expect(worker.said).toEqual(["remove a", "trust b"]);
  });

  it("puts nobody out who is in the room because the list is full", () => {
    const [worker, trusted] = [engine(), new TrustedPhones(null)];
    keepDoor(worker, trusted, () => 1);
    trust(trusted, ANN);
    worker.view.set({ ...emptyView(), room: roomWith(guest(ANN)) });
    for (let number = 1; number <= MOST_TRUSTED; number += 1)
      trust(trusted, number.toString(16).padStart(64, "0"), 1 + number);
    expect(trusted.items.value).toHaveLength(MOST_TRUSTED);
    expect(trusted.get(ANN)).toBeDefined();
    expect(worker.said).not.toContain("remove a");
  });

  it("sees who comes in, once, and remembers nobody by that", () => {
    const [worker, trusted] = [engine(), new TrustedPhones(null)];
    trust(trusted, ANN);
    let nowMs = 10;
    keepDoor(worker, trusted, () => nowMs++);
    worker.view.set({ ...emptyView(), room: roomWith(guest(ANN, "lost")) });
    expect(trusted.get(ANN)?.seenMs).toBe(1);
    const room = roomWith(guest(ANN), guest(BEN));
    worker.view.set({ ...emptyView(), room });
    worker.view.set({ ...emptyView(), room });
    expect(trusted.get(ANN)).toMatchObject({ name: "a", device: "Pixel 8a", seenMs: 10 });
    expect(trusted.items.value).toHaveLength(1);
  });

  it("tells at once that somebody is not let in any more", () => {
    const worker = engine();
    let told = 0;
    watchRemovals(worker, () => (told += 1));
    const admitted = (...all: string[]): void => {
      const door = { locked: false, admitsAll: false, askers: [], admitted: all };
      worker.view.set({ ...emptyView(), room: { ...emptyRoom("gathering"), door } });
    };
    admitted(ANN);
    admitted(ANN, BEN);
    admitted(BEN, ANN);
    expect(told).toBe(0);
    admitted(BEN);
    expect(told).toBe(1);
    worker.view.set(emptyView());
    expect(told, "the room was left").toBe(1);
  });

  it("is not kept in a room of others", () => {
    const [worker, trusted] = [engine(), new TrustedPhones(null)];
    trust(trusted, ANN);
    keepDoor(worker, trusted, () => 9);
    worker.view.set({ ...emptyView(), room: { ...roomWith(guest(ANN)), door: null } });
    trusted.remove(ANN);
    expect(worker.said).toEqual([]);
  });
});

describe("phones to come back to", () => {
  const anna = { identity: ANN, name: "Anna", device: "Pixel 8a", secret: randomSecret() };

  function refused(code: ErrorCode): RoomView {
    return { ...emptyRoom("connecting"), error: { code, message: "" } };
  }

  it("are kept as soon as they say that they remember this one, with the latest secret", () => {
    const [worker, hosts] = [engine(), new Hosts(null)];
    keepHosts(
      worker,
      hosts,
      () => null,
      () => 7,
    );
    worker.view.set({ ...emptyView(), remembered: anna });
    expect(hosts.items.value).toEqual([{ ...anna, seenMs: 7 }]);
    const moved = { ...anna, secret: randomSecret() };
    worker.view.set({ ...emptyView(), remembered: moved });
    expect(hosts.get(ANN)?.secret).toBe(moved.secret);
  });

  it.each<[ErrorCode, boolean]>([
    ["removed", true],
    ["expired", true],
    ["locked", false],
    ["turned_away", false],
    ["room_gone", false],
  ])("are forgotten where they do not know this one any more: %s", (code, isForgotten) => {
    const [worker, hosts] = [engine(), new Hosts(null)];
    hosts.put({ ...anna, seenMs: 1 });
    keepHosts(worker, hosts, () => ANN);
    worker.view.set({ ...emptyView(), room: refused(code) });
    expect(hosts.get(ANN) === undefined).toBe(isForgotten);
  });

  it("are forgotten by no other", () => {
    const [worker, hosts] = [engine(), new Hosts(null)];
    hosts.put({ ...anna, seenMs: 1 });
    keepHosts(worker, hosts, () => null);
    worker.view.set({ ...emptyView(), room: refused("removed") });
    expect(hosts.get(ANN)).toBeDefined();
  });
});
