import { describe, expect, it } from "vitest";

import type { RoomView } from "../../engine/messages.ts";
import { anotherCode, holdHome, home, newHome, randomSecret, roomOnly } from "./home.ts";
import { Hosts, phoneOf } from "./hosts.ts";
import type { Keeper } from "./keeping.ts";
import { emptyRoom, plainPeer } from "./testing.ts";
import { MOST_TRUSTED, nameOf, TrustedPhones, withAliases } from "./trust.ts";

const DAY_MS = 86_400_000;

function keeper(): Keeper & { items: Map<string, string> } {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
  };
}

const forbidden: Keeper = {
  getItem: () => {
    throw new DOMException("", "SecurityError");
  },
  setItem: () => {
    throw new DOMException("", "QuotaExceededError");
  },
};

function phone(number: number): { identity: string; name: string; device: string } {
  return { identity: number.toString(16).padStart(64, "0"), name: `Phone ${number}`, device: "Pixel 8a" };
}

describe("trusted phones", () => {
  it("are there at the next visit, the latest first, with the names they were given", () => {
    const kept = keeper();
    const trusted = new TrustedPhones(kept);
    trusted.trust(phone(1), DAY_MS);
    trusted.trust(phone(2), 2 * DAY_MS);
    trusted.rename(phone(1).identity, "  Mum ");
    trusted.seen({ ...phone(1), name: "Maria" }, 3 * DAY_MS);
    const [first, second] = new TrustedPhones(kept).items.value;
    expect(first).toMatchObject({ name: "Maria", alias: "Mum", sinceMs: DAY_MS, seenMs: 3 * DAY_MS });
    expect(second).toMatchObject(phone(2));
    expect(first && nameOf(first)).toBe("Mum");
  });

  it("keep their name and their first day when they are let in again", () => {
    const trusted = new TrustedPhones(keeper());
    trusted.trust(phone(1), DAY_MS);
    trusted.rename(phone(1).identity, "Mum");
    trusted.trust({ ...phone(1), device: "Galaxy A54" }, 5 * DAY_MS);
    expect(trusted.items.value).toMatchObject([{ alias: "Mum", device: "Galaxy A54", sinceMs: DAY_MS }]);
    trusted.rename(phone(1).identity, phone(1).name);
    expect(trusted.items.value[0]?.alias).toBe("");
  });

  it("are none any more once they are removed, and being here brings nobody back", () => {
    const kept = keeper();
    const trusted = new TrustedPhones(kept);
    trusted.trust(phone(1), DAY_MS);
    trusted.remove(phone(1).identity);
    trusted.seen(phone(1), 2 * DAY_MS);
    expect(new TrustedPhones(kept).items.value).toEqual([]);
  });

  it("are bounded: the one that was not seen for longest goes", () => {
    const trusted = new TrustedPhones(keeper());
    for (let number = 0; number < MOST_TRUSTED; number += 1) trusted.trust(phone(number), number + 1);
    trusted.seen(phone(0), 2 * DAY_MS);
    trusted.trust(phone(1000), DAY_MS);
    expect(trusted.items.value).toHaveLength(MOST_TRUSTED);
    expect(trusted.get(phone(0).identity)).toBeDefined();
    expect(trusted.get(phone(1).identity)).toBeUndefined();
  });

  it("are the same in every tab", () => {
    const kept = keeper();
    const [one, other] = [new TrustedPhones(kept), new TrustedPhones(kept)];
    one.trust(phone(1), 1);
    other.trust(phone(2), 2);
    expect(other.items.value.map(({ name }) => name)).toEqual(["Phone 2", "Phone 1"]);
    one.refresh();
    expect(one.items.value).toEqual(other.items.value);
  });

  it("last as long as the page where nothing may be kept", () => {
    for (const refuses of [forbidden, null]) {
      const trusted = new TrustedPhones(refuses);
      trusted.trust(phone(1), 1);
      trusted.rename(phone(1).identity, "Mum");
      expect(trusted.items.value).toMatchObject([{ alias: "Mum" }]);
      trusted.remove(phone(1).identity);
      expect(trusted.items.value).toEqual([]);
    }
  });

  it("are the page's where what is kept can be read and not written", () => {
    const kept = keeper();
    new TrustedPhones(kept).trust(phone(1), 1);
    const write = kept.setItem;
    kept.setItem = forbidden.setItem;
    const trusted = new TrustedPhones(kept);
    trusted.trust(phone(2), 2);
    trusted.seen(phone(2), 3);
    trusted.refresh();
    expect(trusted.items.value.map(({ name }) => name)).toEqual(["Phone 2", "Phone 1"]);
    trusted.remove(phone(1).identity);
    trusted.seen(phone(2), 4);
    expect(trusted.items.value.map(({ name }) => name)).toEqual(["Phone 2"]);
    kept.setItem = write;
    trusted.seen(phone(2), 5);
    expect(new TrustedPhones(kept).items.value).toEqual(trusted.items.value);
  });

  it.each(["", "{", "7", "null", "[null, 3]", `[{"identity": "ff"}]`, `[{"identity": "${"f".repeat(64)}"}]`])(
    "are none where something else is kept: %s",
    (text) => {
      const kept = keeper();
      kept.items.set("lingualinked.trusted", text);
      expect(new TrustedPhones(kept).items.value).toEqual([]);
    },
  );

  it("are called so in the room of whoever named them", () => {
    const trusted = new TrustedPhones(null);
    for (const number of [1, 2]) trusted.trust(phone(number), 1);
    trusted.rename(phone(1).identity, "Mum");
    const peers = [1, 2].map((number) => ({
      ...plainPeer(String(number)),
      identity: phone(number).identity,
    }));
    const door = { locked: false, admitsAll: false, askers: [], admitted: [] };
    const names = (room: RoomView): string[] =>
      withAliases(room, trusted.items.value).peers.map(({ name }) => name);
    expect(names({ ...emptyRoom("gathering"), door, peers })).toEqual(["Mum", "2"]);
    expect(names({ ...emptyRoom("gathering"), peers }), "others' rooms are theirs").toEqual(["1", "2"]);
  });

  it("have names that fit", () => {
    const trusted = new TrustedPhones(keeper());
    trusted.trust({ ...phone(1), name: "🦊".repeat(100) }, 1);
    expect([...(trusted.items.value[0]?.name ?? "")]).toHaveLength(40);
  });
});

describe("phones to come back to", () => {
  const host = {
    identity: phone(7).identity,
    name: "Anna",
    device: "Pixel 8a",
    secret: randomSecret(),
    seenMs: 1,
  };

  it("are kept with their secrets", () => {
    const kept = keeper();
    new Hosts(kept).put(host);
    expect(new Hosts(kept).items.value).toEqual([host]);
    expect(new Hosts(kept).of(host.secret)).toEqual(host);
    expect(new Hosts(kept).of(randomSecret())).toBeUndefined();
    kept.items.set("lingualinked.hosts", JSON.stringify([{ ...host, secret: "short" }]));
    expect(new Hosts(kept).items.value).toEqual([]);
  });

  it("are called after their owners", () => {
    const names = ["Anna", "Hans", "Max", "Pixel 8a"];
    const called = names.map((name) => phoneOf({ name, device: "Pixel 8a" }));
    expect(called).toEqual(["Anna’s phone", "Hans’ phone", "Max’ phone", "Pixel 8a"]);
  });
});

describe("a home", () => {
  it("stays until there is another", () => {
    const kept = keeper();
    const first = home(kept);
    expect(home(kept)).toEqual(first);
    const next = newHome(kept);
    expect(home(kept)).toEqual(next);
    expect([next.secret, next.ticketKey]).not.toContain(first.secret);
    expect(next.ticketKey).not.toBe(first.ticketKey);
  });

  it("is another for every room where nothing may be kept, or something else is", () => {
    for (const refuses of [forbidden, null]) {
      expect(home(refuses)).toMatchObject({ isKept: false });
      expect(home(refuses).secret).not.toBe(home(refuses).secret);
    }
    const kept = keeper();
    kept.items.set("lingualinked.home", `{"secret": "short"}`);
    expect(home(kept).secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it("is waited for by a page that is loaded anew, and not for long", async () => {
    const tabs = locks();
    const leave = await holdHome(0, tabs);
    const again = holdHome(2000, tabs);
    leave?.();
    expect(await again).not.toBeNull();
    expect(await holdHome(20, tabs), "the other tab goes on").toBeNull();
  });

  it("has one room at a time: another tab's room has a secret of its own", async () => {
    const tabs = locks();
    const leave = await holdHome(0, tabs);
    expect(await holdHome(0, tabs)).toBeNull();
    leave?.();
    await Promise.resolve();
    expect(await holdHome(0, tabs)).not.toBeNull();
    const refuses = { request: () => Promise.reject(new DOMException("", "SecurityError")) };
    const throws = {
      request: () => {
        throw new DOMException("", "SecurityError");
      },
    };
    for (const none of [null, refuses, throws]) expect(await holdHome(0, none)).not.toBeNull();
    expect(roomOnly().secret).not.toBe(roomOnly().secret);
  });
});

describe("a new code", () => {
  it("is another home, where the room is at home", () => {
    const kept = keeper();
    const first = home(kept);
    const next = anotherCode(true, first.secret, kept);
    expect(next).toEqual({ secret: home(kept).secret, ticketKey: home(kept).ticketKey });
    expect(next.secret).not.toBe(first.secret);
  });

  it("leaves the home of another tab as it is, and tells where that is", () => {
    const kept = keeper();
    const first = home(kept);
    const next = anotherCode(false, randomSecret(), kept);
    expect(home(kept)).toEqual(first);
    expect(next.secret).toBe(first.secret);
    expect(next.ticketKey).not.toBe(first.ticketKey);
  });

  it("tells of no home that nobody will open, where none is kept", () => {
    const room = randomSecret();
    for (const isAtHome of [true, false]) expect(anotherCode(isAtHome, room, forbidden).secret).toBe(room);
  });
});

/** One lock, as the tabs of a browser share it. */
function locks(): Pick<LockManager, "request"> {
  let held: Promise<unknown> | null = null;
  const request = async (_: string, how: LockOptions, work: LockGrantedCallback<void>): Promise<void> => {
    if (held && how.ifAvailable) return work(null);
    const late = new Promise<void>((_, reject) => {
      how.signal?.addEventListener("abort", () => reject(how.signal?.reason));
    });
    while (held) await Promise.race([held, late]);
    held = Promise.resolve(work({ name: "", mode: "exclusive" }));
    await held;
    held = null;
  };
  return { request } as Pick<LockManager, "request">;
}
