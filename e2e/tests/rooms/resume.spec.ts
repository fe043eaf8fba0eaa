import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const TOKENS = 16;
const ANSWER_LIMIT_MS = 120_000;

test("a room and its conversation outlive a reload of the page that started it", async ({
  server,
  launch,
  picture,
}) => {
  const phones = (await launch(2, server)) as [Phone, Phone];
  const [first, second] = phones;
  const query = { model: bundled().url, pledge: "share:1.3:2", temperature: 0, tokens: TOKENS };
  await gather(server, phones, { query });
  await prepare(phones);
  const expected = bundled().golden(PROMPT).tokens.slice(0, TOKENS);
  expect((await first.answer(await first.type(PROMPT), ANSWER_LIMIT_MS)).stats.tokens).toEqual(expected);

  await first.page.reload();
  await Promise.all(phones.map((phone) => phone.meet(2)));
  expect((await first.view()).turns).toMatchObject([{ prompt: PROMPT, state: "done" }]);
  await first.screenshot(picture("resumed"));
  await prepare(phones);
  expect((await second.answer(await second.type(PROMPT), ANSWER_LIMIT_MS)).stats.tokens).toEqual(expected);
  expect((await first.answer(await first.type(PROMPT), ANSWER_LIMIT_MS)).stats.tokens).toEqual(expected);
});
