import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

import { bundled } from "../../src/golden.ts";
import { Networks, whyNoNetworks, type NetworksOptions } from "../../src/networks.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { routes } from "../../src/routes.ts";
import { Server, type ServerStats } from "../../src/server.ts";
import { settings } from "../../src/settings.ts";
import { ownView } from "../../src/stages.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const PHONES = 4;
const STALL_LIMIT_MS = 120_000;

test.beforeEach(({ seats }) => {
  test.skip(seats === "android", "an Android phone has a network of its own");
  const reason = whyNoNetworks();
  test.skip(reason !== null, reason ?? "");
});

test("four phones that reach the server alone answer through it", async ({ launch }) => {
  await withRoom("server-alone", launch, async (room) => {
    const seen = await answerGolden(room);
    for (const phone of room.phones)
      expect(new Set(await routes(phone)), phone.name).toEqual(new Set(["relay"]));
    expect(seen.turnBytes).toBeGreaterThan(seen.activationBytes);
    expect(seen.serverBytes).toBeGreaterThan(seen.activationBytes);
  });
});

test("four phones that reach each other answer, and no byte of it goes through the server", async ({
  launch,
}) => {
  await withRoom("each-other", launch, async (room) => {
    const seen = await answerGolden(room);
    for (const phone of room.phones)
      expect(await routes(phone), phone.name).toEqual(["host", "host", "host"]);
    expect(seen.turnBytes).toBe(0);
    expect(seen.relayedBytes).toBe(0);
    // A few words about links where one was silent for seconds; usually none.
    expect(seen.signalingBytes).toBeLessThan(4096);
    expect(seen.sentBytes).toBeGreaterThan(seen.activationBytes);
    // Pings of the sockets, and checks of ways that nobody takes.
    expect(seen.serverBytes).toBeLessThan(seen.activationBytes / 4);
  });
});

interface Room {
  networks: Networks;
  server: Server;
  phones: Phone[];
}

type Launch = (count: number, server: Server, wishes?: object) => Promise<Phone[]>;

/** A room that is ready, in networks of its own. */
async function withRoom(
  reach: NetworksOptions["reach"],
  launch: Launch,
  use: (room: Room) => Promise<void>,
): Promise<void> {
  const networks = new Networks({ phones: PHONES, reach });
  const server = await Server.start({ host: networks.server, args: ["--turn", `${networks.server}:0`] });
  const phones: Phone[] = [];
  try {
    for (let index = 0; index < PHONES; index += 1) {
      const program = networks.phone(index).wrap(settings().chromium);
      phones.push(...(await launch(1, server, { program, trustedOrigin: server.url })));
    }
    await Promise.all(phones.map((phone) => phone.watchLinks()));
    const tokens = bundled().golden(PROMPT).tokens.length;
    const query = { model: bundled().url, pledge: `share:1.3:${PHONES}`, temperature: 0, tokens };
    await gather(server, phones, { query });
    const room = await prepare(phones);
    expect(new Set(room.plan?.stages.map(({ peer }) => peer)).size).toBe(PHONES);
    await use({ networks, server, phones });
  } finally {
    for (const phone of phones) await phone.close().catch(() => {});
    await server.stop();
    networks.close();
  }
}

/** What went where, while an answer was made. */
interface Seen {
  /** Through TURN. */
  turnBytes: number;
  /** Through sockets, in binary. */
  relayedBytes: number;
  signalingBytes: number;
  /** All that came from phones to the server's machine. */
  serverBytes: number;
  /** All that phones sent. */
  sentBytes: number;
  /** What phones say that they have sent each other. */
  activationBytes: number;
}

/** The reference's answer, and what it took. */
async function answerGolden(room: Room): Promise<Seen> {
  const [first] = room.phones as [Phone];
  const golden = bundled().golden(PROMPT);
  const before = await look(room);
  const turn = await first.answer(await first.type(PROMPT), STALL_LIMIT_MS);
  const after = await look(room);
  expect(turn.stats.tokens).toEqual(golden.tokens);
  expect(turn.text).toBe(golden.text);
  const grown = (key: keyof ServerStats): number => after.stats[key] - before.stats[key];
  return {
    turnBytes: grown("turn_bytes"),
    relayedBytes: grown("relayed_bytes"),
    signalingBytes: grown("signaling_bytes"),
    serverBytes: after.serverBytes - before.serverBytes,
    sentBytes: after.sentBytes - before.sentBytes,
    activationBytes: after.activationBytes - before.activationBytes,
  };
}

interface Look {
  stats: ServerStats;
  serverBytes: number;
  sentBytes: number;
  activationBytes: number;
}

async function look({ networks, server, phones }: Room): Promise<Look> {
  const rooms = await Promise.all(phones.map((phone) => phone.room()));
  const counted = rooms.map((room) => ownView(room).counters.bytesSent);
  return {
    stats: await server.stats(),
    serverBytes: receivedBytes(networks.server),
    sentBytes: sum(phones.map((_, index) => networks.phone(index).bytes().sent)),
    activationBytes: sum(counted),
  };
}

/** What this machine received on the interface with this address. */
function receivedBytes(address: string): number {
  const found = Object.entries(networkInterfaces()).find(([, some]) =>
    some?.some((one) => one.address === address),
  );
  if (!found) throw new Error(`no interface has ${address}`);
  return Number(readFileSync(`/sys/class/net/${found[0]}/statistics/rx_bytes`, "utf8"));
}

function sum(numbers: number[]): number {
  return numbers.reduce((one, other) => one + other, 0);
}
