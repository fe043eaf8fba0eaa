import { bundled } from "../../src/golden.ts";
import { ownCandidates, whyNoMulticast } from "../../src/multicast.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const TOKENS = 16;
const STALL_LIMIT_MS = 120_000;

test("phones that hide their addresses find each other", async ({ server, launch, seats }) => {
  test.skip(seats === "android", "Android phones are allowed the camera, and so hide nothing");
  const reason = await whyNoMulticast(`${server.url}/healthz`);
  test.skip(reason !== null, reason ?? "");
  const model = bundled();
  const phones = await launch(2, server, { mayUseCamera: false });
  await Promise.all(phones.map((phone) => phone.watchLinks()));
  const query = { model: model.url, pledge: "share:1.3:2", temperature: 0, tokens: TOKENS };
  await gather(server, phones, { query });
  for (const phone of phones) {
    const candidates = await ownCandidates(phone);
    expect(candidates.length, phone.name).toBeGreaterThan(0);
    for (const candidate of candidates) expect(candidate, phone.name).toContain(".local ");
  }
  await prepare(phones);
  const [first] = phones as [Phone];
  const turn = await first.answer(await first.type(PROMPT), STALL_LIMIT_MS);
  expect(turn.stats.tokens).toEqual(model.golden(PROMPT).tokens.slice(0, TOKENS));
});
