import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { PhoneQuery } from "../../src/address.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { HERE } from "../../src/settings.ts";
import { isWholeModel } from "../../src/stages.ts";
import { expect, test } from "../fixtures.ts";

/** Tiny models with random weights, and what transformers answers. */
const FOLDER = join(HERE, "../crates/testkit/golden");
const NAME = "flan-t5-q8_0";
const STALL_LIMIT_MS = 120_000;
const TOKENS = 32;

interface Prompt {
  text: string;
  ids: number[];
  tokens: number[];
}

/** A folder with a model whose prompts are the texts themselves: without its chat template, under whose name nothing is found. */
function withoutTemplate(folder: string): string {
  const bytes = readFileSync(join(FOLDER, `${NAME}.gguf`));
  const key = "tokenizer.chat_template";
  const at = bytes.indexOf(key);
  if (at < 0) throw new Error(`${NAME} has no chat template`);
  bytes.write(key.toUpperCase(), at, "latin1");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${NAME}.gguf`), bytes);
  return folder;
}

test("three phones with an encoder-decoder give the tokens of transformers, whichever way its tensors go", async ({
  launch,
}, testInfo) => {
  const { short, long } = JSON.parse(readFileSync(join(FOLDER, `${NAME}.json`), "utf8")) as {
    short: Prompt;
    long: Prompt;
  };
  const server = await Server.start({ models: [withoutTemplate(testInfo.outputPath("models"))] });
  try {
    for (const skip of ["on", "off"] satisfies PhoneQuery["skip"][]) {
      await test.step(`skip links ${skip}`, async () => {
        const phones = await launch(3, server);
        const [coordinator, , third] = phones as [Phone, Phone, Phone];
        const model = `/models/${NAME}.gguf`;
        const query: PhoneQuery = {
          model,
          pledge: "share:1.3:3",
          temperature: 0,
          tokens: TOKENS,
          wire: "f32",
          skip,
        };
        await gather(server, phones, { query });
        const room = await prepare(phones);
        expect(isWholeModel(room)).toBe(true);
        expect(new Set(room.plan?.stages.map(({ peer }) => peer)).size).toBe(3);
        for (const [phone, prompt] of [
          [coordinator, long],
          [third, short],
        ] satisfies [Phone, Prompt][]) {
          const turn = await phone.answer(await phone.type(prompt.text), STALL_LIMIT_MS);
          expect(turn.stats.tokens).toEqual(prompt.tokens.slice(0, TOKENS));
          expect(turn.stats.promptTokens).toBe(prompt.ids.length);
        }
        await Promise.all(phones.map((phone) => phone.close()));
      });
    }
  } finally {
    await server.stop();
  }
});
