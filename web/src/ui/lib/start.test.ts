import { describe, expect, it } from "vitest";

import { parseQuery } from "../../query.ts";
import { startConfig } from "./start.ts";

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
      reopens: false,
      requests: null,
    });
  });

  it("follows the address first", () => {
    const query = parseQuery("?pledge=9&wire=int8&requests=4", "");
    const config = startConfig(query, { ...choice, name: " " }, location);
    expect(config).toMatchObject({ pledge: { bytes: 9 }, name: "Pixel 8a", wire: "int8", requests: 4 });
  });

  it("takes no model into a room of others", () => {
    const secret = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";
    expect(startConfig(parseQuery("", `#${secret}`), choice, location)).toMatchObject({
      secret,
      modelUrl: null,
    });
  });
});
