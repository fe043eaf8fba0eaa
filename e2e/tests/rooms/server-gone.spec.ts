import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const STALL_LIMIT_MS = 120_000;
/** The pauses between attempts to reach the server double, from a second on. */
const RETURN_LIMIT_MS = 90_000;

test("a room outlives its server, and the next server brings newcomers in", async ({ launch }) => {
  const model = bundled();
  const query = { model: model.url, pledge: "share:1.3:2", temperature: 0, tokens: 16 };
  const before = await Server.start();
  const [first, second, third] = (await launch(3, before)) as [Phone, Phone, Phone];
  const link = await test.step("two phones are ready", async () => {
    try {
      await gather(before, [first, second], { query });
      const shown = await first.invitation();
      await prepare([first, second]);
      return shown;
    } finally {
      await before.stop();
    }
  });

  await test.step("they answer without the server", async () => {
    const turn = await first.answer(await first.type(PROMPT), STALL_LIMIT_MS);
    expect(turn.stats.tokens).toEqual(model.golden(PROMPT).tokens.slice(0, 16));
    await expect(first.page.getByTestId("error")).toHaveCount(0);
  });

  const after = await Server.start({ port: before.port });
  try {
    await test.step("both find the new server", () =>
      expect.poll(async () => (await after.stats()).peers, { timeout: RETURN_LIMIT_MS }).toBe(2));
    await test.step("a third phone joins by the old link", async () => {
      await third.join(link, { ...query, name: third.name });
      await Promise.all([first, second, third].map((phone) => phone.meet(3)));
    });
    await test.step("and asks", async () => {
      const turn = await third.answer(await third.type(PROMPT), STALL_LIMIT_MS);
      expect(turn.stats.tokens).toEqual(model.golden(PROMPT).tokens.slice(0, 16));
    });
  } finally {
    await after.stop();
  }
});
