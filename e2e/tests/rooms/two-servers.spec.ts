import { bundled } from "../../src/golden.ts";
import { Balancer, missingNats, startNats } from "../../src/nats.ts";
import type { Phone } from "../../src/phone.ts";
import { prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const STALL_LIMIT_MS = 120_000;
/** The pauses between attempts to come back double from a second on, and a killed server is missed after a while. */
const RETURN_LIMIT_MS = 90_000;

test.skip(({ seats }) => seats === "android", "an Android phone reaches one server of this machine");

test("phones of two servers are one room, and it outlives one of the servers", async ({ launch }) => {
  const reason = missingNats();
  test.skip(reason !== undefined, reason);
  const model = bundled();
  const query = {
    model: model.url,
    pledge: "share:1.3:2",
    temperature: 0,
    tokens: 16,
    wire: "f32",
    balance: "off",
  } as const;
  const golden = model.golden(PROMPT).tokens.slice(0, 16);
  const nats = await startNats();
  const args = ["--nats", nats.url, "--nats-lease-secs", "2"];
  const near = await Server.start({ args });
  const far = await Server.start({ args });
  const balancer = await Balancer.start(far.port);
  try {
    const [first, second, third] = (await launch(3, near)) as [Phone, Phone, Phone];
    const link = await test.step("a phone starts a room at one server", async () => {
      await first.start(near.url, { ...query, name: first.name });
      return first.invitation();
    });
    await test.step("another joins it at the other", async () => {
      await second.join(link.replace(near.url, balancer.url), { ...query, name: second.name });
      await Promise.all([first, second].map((phone) => phone.meet(2)));
      for (const server of [near, far]) expect(await server.stats()).toMatchObject({ rooms: 1, peers: 1 });
    });
    await test.step("both answer", async () => {
      await prepare([first, second]);
      const turn = await second.answer(await second.type(PROMPT), STALL_LIMIT_MS);
      expect(turn.stats.tokens).toEqual(golden);
    });
    await test.step("one server dies, and its phone comes back by the other", async () => {
      balancer.turnTo(near.port);
      await far.kill();
      const turn = await first.answer(await first.type(PROMPT), STALL_LIMIT_MS);
      expect(turn.stats.tokens).toEqual(golden);
      await expect.poll(async () => (await near.stats()).peers, { timeout: RETURN_LIMIT_MS }).toBe(2);
    });
    await test.step("a third phone joins and asks", async () => {
      await third.join(link, { ...query, name: third.name });
      await Promise.all([first, second, third].map((phone) => phone.meet(3)));
      const turn = await third.answer(await third.type(PROMPT), STALL_LIMIT_MS);
      expect(turn.stats.tokens).toEqual(golden);
    });
  } finally {
    balancer.stop();
    await Promise.all([near, far].map((server) => server.stop()));
    nats.stop();
  }
});
