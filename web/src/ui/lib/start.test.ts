import { describe, expect, it } from "vitest";

import { parseQuery } from "../../query.ts";
import { home, randomSecret, roomOnly } from "./home.ts";
import { atHome, following, startConfig } from "./start.ts";
import { plainDoor } from "./testing.ts";

const location = { origin: "https://10.0.0.2:8443" };
const choice = { name: " Ada ", device: "Pixel 8a", modelUrl: "/models/x.gguf", lendingBytes: 7 };

describe("how a room is started", () => {
  it("follows what was chosen", () => {
    expect(startConfig(parseQuery("", ""), choice, location)).toEqual({
      signalUrl: "wss://10.0.0.2:8443/signal",
      secret: null,
      name: "Ada",
      device: "Pixel 8a",
      modelUrl: "/models/x.gguf",
      pledge: { bytes: 7 },
      wire: "f16",
      balances: true,
      skips: true,
      starts: true,
      reopens: false,
      waits: false,
      requests: null,
      door: plainDoor,
    });
  });

  it("follows the address first", () => {
    const query = parseQuery("?pledge=9&wire=int8&requests=4", "");
    const config = startConfig(query, { ...choice, name: " " }, location);
    expect(config).toMatchObject({ pledge: { bytes: 9 }, name: "Pixel 8a", wire: "int8", requests: 4 });
  });

  it("makes no invitation that is over at once", () => {
    expect(startConfig(parseQuery("?life=0", ""), choice, location).door.lifeSecs).toBe(1);
  });

  it("takes no model into a room of others", () => {
    const secret = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";
    expect(startConfig(parseQuery("", `#${secret}`), choice, location)).toMatchObject({
      secret,
      starts: false,
      modelUrl: null,
    });
  });

  it("comes back to a phone and to no other", () => {
    const host = { identity: "a".repeat(64), name: "Anna", device: "", secret: randomSecret(), seenMs: 1 };
    const config = startConfig(parseQuery("?admit=all", ""), choice, location, host);
    expect(config).toMatchObject({ secret: host.secret, starts: false, modelUrl: null });
    expect(config.door).toMatchObject({ admitsAll: false, coordinator: host.identity });
    // A fresh code of the same phone.
    const code = `${host.secret}${"A".repeat(22)}`;
    const scanned = startConfig(parseQuery("", `#${code}`), choice, location, host);
    expect(scanned).toMatchObject({ secret: code, door: { coordinator: host.identity } });
    // Its key is another one, and a person trusts the code.
    expect(following(scanned)).toMatchObject({ secret: code, door: { coordinator: null } });
  });
});

describe("a room at home", () => {
  const config = startConfig(parseQuery("?life=5", ""), choice, location);

  it("has the home's secret, and knows who may come in", () => {
    const kept = { ...roomOnly(), isKept: true };
    const { secret, door } = atHome(config, kept, ["a"]);
    expect(secret).toBe(kept.secret);
    const { secret: nextSecret, ticketKey } = kept;
    expect(door).toMatchObject({ trusted: ["a"], ticketKey, nextSecret, lifeSecs: 5 });
    expect(door.opening).toHaveLength(43);
  });

  it("stays where it is when it is started again, and its invitations are good", () => {
    const [first, next] = [roomOnly(), roomOnly()].map((one) => ({ ...one, isKept: true })) as [
      ReturnType<typeof home>,
      ReturnType<typeof home>,
    ];
    const before = atHome(config, first, ["a"]);
    const again = atHome({ ...before, reopens: true }, next, []);
    expect(again).toMatchObject({ secret: first.secret, reopens: true });
    expect(again.door).toMatchObject({ trusted: [], ticketKey: first.ticketKey, nextSecret: next.secret });
    expect(again.door.opening).toBe(before.door.opening);
  });

  it("that is kept nowhere tells nobody of rooms to come, and keeps its key when it is started again", () => {
    const before = atHome(config, roomOnly(), []);
    const again = atHome({ ...before, reopens: true }, roomOnly(), []);
    expect(again.secret).toBe(before.secret);
    expect(again.door).toEqual(before.door);
    expect(again.door.nextSecret).toBeNull();
  });
});
