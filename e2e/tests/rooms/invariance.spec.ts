import type { AnswerStats, AskOptions } from "../../../web/src/engine/messages.ts";
import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { isWholeModel } from "../../src/stages.ts";
import { expect, test } from "../fixtures.ts";

const STALL_LIMIT_MS = 180_000;

/** All of an answer that must be the same. */
type Answer = Pick<AnswerStats, "tokens" | "logprobs" | "finish"> & { text: string };

/** What the session's limits say. */
const MOST_ROWS_OF_A_CHUNK = 32;
const GREEDY: AskOptions = { temperature: 0, topK: 0, topP: 1, seed: 1, maxTokens: 32 };
const SAMPLED: AskOptions = { temperature: 0.9, topK: 0, topP: 0.95, seed: 7, maxTokens: 32 };
const NARROWED: AskOptions = {
  ...SAMPLED,
  topK: 50,
  minP: 0.02,
  repetitionPenalty: 1.2,
  stop: ["never said", ","],
  logprobs: 2,
};

const LONG = `${"The fox and the owl walked to the lake. They were happy. ".repeat(8)}Then`;

/** Prompts that the demo may be given: plain, empty, and outside the model's small world. */
const ASKED: [string, AskOptions][] = [
  ["Once upon a time", GREEDY],
  ["Once upon a time", SAMPLED],
  ["", SAMPLED],
  ["🦊🏮", SAMPLED],
  ["Once upon a time", NARROWED],
  // Several chunks of a prefill, on their way through the phones at once.
  [LONG, GREEDY],
];

test("the tokens do not depend on how many phones there are", async ({ server, launch }) => {
  const answers: Answer[][] = [];
  for (const count of [1, 2, 5]) {
    await test.step(`${count} phones`, async () => {
      const phones = await launch(count, server);
      const [coordinator] = phones as [Phone];
      await gather(server, phones, { query: { model: bundled().url, pledge: `share:1.3:${count}` } });
      const room = await prepare(phones);
      expect(isWholeModel(room)).toBe(true);
      expect(new Set(room.plan?.stages.map(({ peer }) => peer)).size).toBe(count);
      const given: Answer[] = [];
      for (const [prompt, how] of ASKED) {
        const turn = await coordinator.answer(await coordinator.ask(prompt, how), STALL_LIMIT_MS);
        const { tokens, logprobs, finish } = turn.stats;
        given.push({ tokens, logprobs, finish, text: turn.text });
        if (prompt === LONG) expect(turn.stats.promptTokens).toBeGreaterThan(MOST_ROWS_OF_A_CHUNK * 3);
      }
      answers.push(given);
      await Promise.all(phones.map((phone) => phone.close()));
    });
  }
  const [one, ...more] = answers;
  expect(one?.every(({ tokens }) => tokens.length > 0)).toBe(true);
  // With a temperature the draw is the seed's, not the likeliest again.
  expect(one?.[1]?.tokens).not.toEqual(one?.[0]?.tokens);
  expect(one?.[4]?.text).not.toContain(",");
  expect(one?.[4]?.logprobs).toHaveLength(one?.[4]?.tokens.length ?? 0);
  for (const given of more) expect(given).toEqual(one);
});
