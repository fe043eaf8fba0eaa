import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { HERE } from "../../src/settings.ts";
import { isWholeModel } from "../../src/stages.ts";
import { expect, test } from "../fixtures.ts";

/** Tiny models with random weights, and what transformers makes of texts with them. */
const FOLDER = join(HERE, "../crates/testkit/golden");
const NAME = "llama-classifier";
const STALL_LIMIT_MS = 120_000;
/** Of a probability. */
const TOLERANCE = 1e-4;

interface Classifier {
  name: string;
  labels: string[];
  texts: { text: string; ids: number[]; scores: number[] }[];
}

test("three phones with a classifier say what a text is, as transformers does", async ({
  launch,
  picture,
}) => {
  const { labels, texts } = golden();
  const server = await Server.start({ models: [FOLDER] });
  try {
    const phones = await launch(3, server);
    const [coordinator, , third] = phones as [Phone, Phone, Phone];
    const query = { model: `/models/${NAME}.gguf`, pledge: "share:1.8:3", wire: "f32" } as const;
    await gather(server, phones, { query });
    const room = await prepare(phones);
    expect(isWholeModel(room)).toBe(true);
    expect(room.model?.labels).toEqual(labels);
    await expect(third.page.getByText("Write a text, and your phones say what it is.")).toBeVisible();
    for (const [index, { text, ids, scores }] of texts.entries()) {
      const phone = index % 2 === 0 ? third : coordinator;
      const turn = await phone.answer(await phone.type(text), STALL_LIMIT_MS);
      const best = scores.indexOf(Math.max(...scores));
      expect(turn.text).toBe(labels[best]);
      expect(turn.stats.promptTokens).toBe(ids.length);
      expect(turn.stats.tokens).toEqual([best]);
      const bars = phone.page.getByTestId("labels").last().getByRole("listitem");
      await expect(bars).toHaveCount(labels.length);
      await expect(bars.first()).toContainText(labels[best] ?? "");
      const share = Number(await bars.first().getAttribute("data-share"));
      expect(Math.abs(share - shareOf(scores, best))).toBeLessThan(TOLERANCE);
    }
    await expect(third.page.getByTestId("stats").last()).not.toContainText("tokens/s");
    await third.screenshot(picture("classifier"));
  } finally {
    await server.stop();
  }
});

function golden(): Classifier {
  const all = JSON.parse(readFileSync(join(FOLDER, "classifiers.json"), "utf8")) as Classifier[];
  const found = all.find(({ name }) => name === NAME);
  if (!found) throw new Error(`classifiers.json has no ${NAME}`);
  return found;
}

function shareOf(scores: number[], label: number): number {
  const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
  return Math.exp(scores[label] ?? 0) / total;
}
