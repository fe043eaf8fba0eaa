import { describe, expect, it } from "vitest";

import { invitationIn, invitationLink, isOnlyHere, parsePledge, parseQuery, signalUrl } from "./query.ts";

const secret = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";

describe("the address", () => {
  it("may ask for nothing", () => {
    expect(parseQuery("", "")).toEqual({
      modelUrl: null,
      name: null,
      pledge: null,
      assignment: "best",
      wire: "f16",
      balances: true,
      skips: true,
      requests: null,
      admitsAll: false,
      lifeSecs: null,
      temperature: null,
      seed: null,
      maxTokens: null,
      invitation: { kind: "none" },
    });
  });

  it("may ask for everything", () => {
    const search =
      "?model=/models/x.gguf&name=Ada%20L&pledge=share:1.3:3&assignment=equal&wire=f32&requests=4&admit=all&balance=off&skip=off&life=60&temperature=0&seed=7&tokens=64";
    expect(parseQuery(search, `#${secret}`)).toEqual({
      modelUrl: "/models/x.gguf",
      name: "Ada L",
      pledge: { share: { factor: 1.3, phones: 3 } },
      assignment: "equal",
      wire: "f32",
      balances: false,
      skips: false,
      requests: 4,
      admitsAll: true,
      lifeSecs: 60,
      temperature: 0,
      seed: 7,
      maxTokens: 64,
      invitation: { kind: "secret", secret },
    });
  });

  it("does not take an assignment that it does not know", () =>
    expect(parseQuery("?assignment=random", "").assignment).toBe("best"));

  it("does not take a wire type that it does not know", () =>
    expect(parseQuery("?wire=f64", "").wire).toBe("f16"));

  it.each([
    ["0", null],
    ["many", null],
    ["2.4", 2],
    ["1000", 8],
  ])("counts requests from one on: %s", (requests, expected) =>
    expect(parseQuery(`?requests=${requests}`, "").requests).toBe(expected),
  );

  it.each(["https://elsewhere.example/x.gguf", "//elsewhere.example/x.gguf", "x.gguf"])(
    "does not take a model from elsewhere: %s",
    (model) => expect(parseQuery(`?model=${model}`, "").modelUrl).toBeNull(),
  );

  it("may have an invitation that says how long it is good", () => {
    const ticketed = `${secret}${"A".repeat(22)}`;
    expect(parseQuery("", `#${ticketed}`).invitation).toEqual({ kind: "secret", secret: ticketed });
    const named = `${ticketed}${"B".repeat(22)}`;
    expect(parseQuery("", `#${named}`).invitation).toEqual({ kind: "secret", secret: named });
    expect(parseQuery("", `#${named}B`).invitation).toEqual({ kind: "damaged" });
  });

  it.each([secret.slice(1), `${secret}A`, `${secret.slice(1)}!`, `${secret}${"A".repeat(21)}`])(
    "knows a damaged invitation: %s",
    (text) => expect(parseQuery("", `#${text}`).invitation).toEqual({ kind: "damaged" }),
  );
});

describe("a pledge", () => {
  it.each([
    ["1000", { bytes: 1000 }],
    ["share:1.3:3", { share: { factor: 1.3, phones: 3 } }],
    ["0", null],
    ["-5", null],
    ["lots", null],
    ["share:1.3", null],
    ["share:0:3", null],
    ["share:1.3:0", null],
    ["share:1.3:3:4", null],
    [null, null],
  ])("%s", (text, pledge) => expect(parsePledge(text)).toEqual(pledge));
});

describe("a code", () => {
  it("may be the link to a room, on whatever server", () => {
    for (const link of [`https://192.168.1.2:8443/#${secret}`, `http://localhost:8080/?tokens=4#${secret}`]) {
      expect(invitationIn(link)?.href).toBe(link);
    }
  });

  it("may be anything else", () => {
    const others = [
      "",
      "hello",
      secret,
      "https://example.org/",
      `https://example.org/#${secret.slice(1)}`,
      `javascript:alert(1)#${secret}`,
      `ftp://example.org/#${secret}`,
      `https://trusted.org@example.org/#${secret}`,
    ];
    for (const text of others) expect(invitationIn(text)).toBeNull();
  });
});

describe("links", () => {
  it("carry the secret behind the # and nothing of this phone's own query", () => {
    const location = { origin: "https://10.0.0.2:8443", pathname: "/" };
    expect(invitationLink(location, secret)).toBe(`https://10.0.0.2:8443/#${secret}`);
    expect(signalUrl(location)).toBe("wss://10.0.0.2:8443/signal");
    expect(signalUrl({ origin: "http://localhost:8080" })).toBe("ws://localhost:8080/signal");
  });

  it("know the addresses that no other phone can open", () => {
    expect(["localhost", "127.0.0.1", "[::1]"].every(isOnlyHere)).toBe(true);
    expect(["192.168.1.7", "lingualinked.local"].some(isOnlyHere)).toBe(false);
  });
});
