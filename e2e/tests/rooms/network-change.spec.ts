import { bundled } from "../../src/golden.ts";
import { Networks, whyNoNetworks } from "../../src/networks.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { settings } from "../../src/settings.ts";
import { expect, test as base } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const TOKENS = 64;
/** The socket, the other way, and a plan where the phones were done without meanwhile. */
const STALL_LIMIT_MS = 120_000;

/** Two phones that reach each other; they are gone before their networks are. */
const test = base.extend<{ networks: Networks | string }>({
  networks: async ({ seats }, use) => {
    const reason = seats === "android" ? "an Android phone has a network of its own" : whyNoNetworks();
    const networks = reason ?? new Networks({ phones: 2, reach: "each-other" });
    await use(networks);
    if (networks instanceof Networks) networks.close();
  },
});

for (const [name, mover, isTold] of [
  ["the phone that started the room comes into another network", 0, true],
  ["a phone that joined comes into another network", 1, true],
  ["a phone whose browser says nothing of it comes into another network", 1, false],
] as const) {
  test(`${name}, and the answer goes on${isTold ? " over the same link" : ""}`, async ({
    networks,
    launch,
  }) => {
    test.skip(typeof networks === "string", String(networks));
    if (typeof networks === "string") return;
    const server = await Server.start({ host: networks.server });
    const phones: Phone[] = [];
    for (const index of [0, 1]) {
      const program = networks.phone(index).wrap(settings().chromium);
      phones.push(...(await launch(1, server, { program, trustedOrigin: server.url })));
    }
    await Promise.all(phones.map((phone) => phone.watchLinks()));
    if (!isTold) await Promise.all(phones.map((phone) => phone.page.addInitScript(tellNothing)));
    await readyRoom(server, phones);
    const [first] = phones as [Phone, Phone];
    const before = await Promise.all(phones.map(linkOf));

    const how = { temperature: 0, topK: 0, topP: 1, seed: 1, maxTokens: TOKENS };
    const ask = await first.ask(PROMPT, how);
    await first.midst(ask);
    const moved = networks.phone(mover).move();
    expect((await first.view()).turns[0]?.state, "it is in the middle").toBe("streaming");
    const turn = await first.answer(ask, STALL_LIMIT_MS);
    expect(turn.stats.tokens).toEqual(bundled().golden(PROMPT).tokens.slice(0, TOKENS));

    const after = await Promise.all(phones.map(linkOf));
    // Where only silence tells, a busy machine may take so long that the link is made anew.
    if (!isTold) return server.stop();
    for (const [index, link] of after.entries()) {
      expect(link.connections, "no link was made anew").toBe(1);
      expect(link.state).toBe("connected");
      expect(link.credentials, "it was restarted").not.toBe(before[index]?.credentials);
      expect(link.certificates).toBe(before[index]?.certificates);
      expect(link.addresses).toContain(moved);
    }
    await server.stop();
  });
}

/** Both phones are needed for the model. */
async function readyRoom(server: Server, phones: Phone[]): Promise<void> {
  const query = { model: bundled().url, pledge: "share:1.3:2", temperature: 0, tokens: TOKENS };
  await gather(server, phones, { query });
  await prepare(phones);
}

/** How the phone's link is, and between which addresses. */
function linkOf(phone: Phone): Promise<{
  connections: number;
  state: string;
  credentials: string;
  certificates: string;
  addresses: string[];
}> {
  return phone.page.evaluate(async () => {
    // Others were made to see this phone's own certificate, and led nowhere.
    const links = window.connections.filter(({ remoteDescription }) => remoteDescription !== null);
    const [connection] = links;
    const sdp = connection?.remoteDescription?.sdp ?? "";
    const reports = [...((await connection?.getStats())?.values() ?? [])] as Record<string, string>[];
    const selected = reports.find(({ type }) => type === "transport")?.selectedCandidatePairId;
    const pair = reports.find(({ id }) => id === selected);
    const ends = reports.filter(({ id }) => id === pair?.localCandidateId || id === pair?.remoteCandidateId);
    return {
      connections: links.length,
      state: connection?.connectionState ?? "none",
      credentials: /^a=ice-ufrag:(.*)$/m.exec(sdp)?.[1] ?? "",
      certificates: /^a=fingerprint:(.*)$/m.exec(sdp)?.[1] ?? "",
      addresses: ends.map(({ address }) => address ?? ""),
    };
  });
}

/** Runs in the page: a browser that does not notice. Must not use anything from around it. */
function tellNothing(): void {
  for (const kind of ["online", "offline"])
    window.addEventListener(kind, (event) => event.stopImmediatePropagation(), true);
}
