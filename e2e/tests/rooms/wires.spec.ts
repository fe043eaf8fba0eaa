import type { WireType } from "../../../web/src/engine/messages.ts";
import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const TOKENS = 32;
const STALL_LIMIT_MS = 120_000;
/** What the frame of a row has besides its values; narrow rows have a scale, too. */
const HEADER_BYTES = 30;
const SCALE_BYTES = 4;
/** Narrow wires may come to another token sooner or later, but not at once. */
const LEAST_EQUAL_TOKENS = 8;

test("hidden states travel in half and a quarter of the bytes, and the answer begins as the reference's", async ({
  server,
  launch,
}) => {
  const model = bundled();
  const expected = model.golden(PROMPT).tokens.slice(0, TOKENS);
  const rowBytes: Partial<Record<WireType, number>> = {};
  for (const wire of ["f32", "f16", "int8"] satisfies WireType[]) {
    await test.step(wire, async () => {
      const phones = await launch(2, server);
      const [coordinator] = phones as [Phone];
      const query = { model: model.url, pledge: "share:1.3:2", temperature: 0, tokens: TOKENS, wire };
      await gather(server, phones, { query });
      const room = await prepare(phones);
      const first = room.plan?.traffic[0]?.bytes ?? 0;
      rowBytes[wire] = first - HEADER_BYTES - (wire === "f32" ? 0 : SCALE_BYTES);
      const turn = await coordinator.answer(await coordinator.type(PROMPT), STALL_LIMIT_MS);
      const differs = expected.findIndex((token, at) => turn.stats.tokens[at] !== token);
      const equal = differs < 0 ? TOKENS : differs;
      test.info().annotations.push({ type: "equal tokens", description: `${wire}: ${equal} of ${TOKENS}` });
      expect(equal, wire).toBeGreaterThanOrEqual(wire === "f32" ? TOKENS : LEAST_EQUAL_TOKENS);
      await Promise.all(phones.map((phone) => phone.close()));
    });
  }
  const { f32 = 0, f16 = 0, int8 = 0 } = rowBytes;
  expect(f32).toBeGreaterThan(0);
  expect([f16, int8]).toEqual([f32 / 2, f32 / 4]);
});
