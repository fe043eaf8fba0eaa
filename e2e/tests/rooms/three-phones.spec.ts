import { statSync, writeFileSync } from "node:fs";

import { peersOf, spansOf } from "../../src/access-log.ts";
import { launchBrowser } from "../../src/chromium.ts";
import { readGguf } from "../../src/gguf.ts";
import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { sideBySide, type PhonePicture } from "../../src/picture.ts";
import { gather, prepare } from "../../src/room.ts";
import type { Server } from "../../src/server.ts";
import { outside } from "../../src/spans.ts";
import { frontSpan, isWholeModel, ownSpans, ownView } from "../../src/stages.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const OTHER_PROMPT = "In a quiet village";
const STALL_LIMIT_MS = 120_000;

test("three phones hold one model and answer together", async ({ server, launch, picture }) => {
  const model = bundled();
  const golden = model.golden(PROMPT);
  const phones = await launch(3, server);
  const [coordinator, second, third] = phones as [Phone, Phone, Phone];

  await test.step("the others join through the code on the first one's screen", async () => {
    const invite = async (phone: Phone): Promise<string> => {
      const link = await phone.scan();
      // How long it is good may be said anew in between.
      expect(link.slice(0, -22)).toBe((await phone.invitation()).slice(0, -22));
      await phone.screenshot(picture("invitation"));
      return link;
    };
    const query = { model: model.url, pledge: "share:1.3:3", temperature: 0, tokens: golden.tokens.length };
    await gather(server, phones, { query, invite });
    await pictures(phones, picture, "gathered");
  });

  const room = await prepare(phones);
  await test.step("the plan covers the model with all three", () => {
    expect(isWholeModel(room)).toBe(true);
    expect(new Set(room.plan?.stages.map(({ peer }) => peer)).size).toBe(3);
  });

  await test.step("the answer is the reference's", async () => {
    const turn = await coordinator.answer(await coordinator.type(PROMPT), STALL_LIMIT_MS);
    expect(turn.stats.tokens).toEqual(golden.tokens);
    expect(turn.text).toBe(golden.text);
    expect(turn.stats.promptTokens).toBe(golden.prompt_ids.length);
    const shown = coordinator.page.getByTestId("answer").last();
    await expect.poll(async () => (await shown.textContent())?.trim()).toBe(golden.text.trim());
  });

  await test.step("a phone that did not start the room asks too", async () => {
    const turn = await third.answer(await third.type(OTHER_PROMPT), STALL_LIMIT_MS);
    expect(turn.text).toBe(model.golden(OTHER_PROMPT).text);
  });

  await test.step("every phone ran a stage", async () => {
    for (const phone of phones) {
      const ranRows = async (): Promise<number> => ownView(await phone.room()).counters.rowsRun;
      const rows = golden.prompt_ids.length + golden.tokens.length - 1;
      await expect.poll(ranRows, `${phone.name}: rows`).toBeGreaterThanOrEqual(rows);
      const mine = ownView(await phone.room());
      expect(mine.stage, phone.name).not.toBeNull();
      expect(mine.counters.stepsRun, phone.name).toBeGreaterThanOrEqual(golden.tokens.length);
      expect(mine.counters.dispatches, phone.name).toBeGreaterThan(0);
      expect(mine.counters.bytesSent, phone.name).toBeGreaterThan(0);
      expect(mine.counters.bytesReceived, phone.name).toBeGreaterThan(0);
    }
  });

  await test.step("every phone fetched its own tensors and no others", () =>
    checkFetches(server, phones, model));

  await test.step("only the phone that started the room loaded what reads and writes text", () => {
    const loads = (name: string): number =>
      server.accessLog().filter(({ uri }) => uri.includes(name) && uri.endsWith(".wasm")).length;
    expect(loads("/lingualinked_bg")).toBe(3);
    expect(loads("/lingualinked_text_bg")).toBe(1);
  });

  await test.step("nothing but sealed signaling went through the server", async () => {
    const stats = await server.stats();
    expect(stats.relayed_bytes + stats.turn_bytes).toBe(0);
    expect(stats.signaling_bytes).toBeGreaterThan(0);
  });

  // What the phones hold, on one of them.
  await second.page.getByTestId("room-strip").locator("summary").click();
  const shots = await pictures(phones, picture, "answered");
  await test.step("one picture of all", async () => {
    const browser = await launchBrowser();
    try {
      writeFileSync(picture("three-phones"), await sideBySide(browser, shots));
    } finally {
      await browser.close();
    }
  });
});

async function checkFetches(
  server: Server,
  phones: Phone[],
  { file, url }: { file: string; url: string },
): Promise<void> {
  const index = readGguf(file);
  const front = frontSpan(index, statSync(file).size);
  const room = await (phones[0] as Phone).room();
  const ids = (await Promise.all(phones.map((phone) => phone.room()))).map(({ me }) => me);
  const log = server.accessLog();
  expect(peersOf(log, url)).toEqual([...ids].sort());
  for (const id of ids) {
    const own = ownSpans(index, room, id);
    const fetched = spansOf(log, url, id);
    expect(outside(fetched, [front, ...own]), `${id}: bytes of other phones' tensors`).toEqual([]);
    // Padding is nobody's, and need not be fetched.
    const missing = outside(own, fetched).filter(({ start, end }) => end - start >= index.alignment);
    expect(missing, `${id}: own tensors that were not fetched`).toEqual([]);
  }
}

/** The phones' screens as they are now: kept one by one, and returned for a picture of all. */
async function pictures(
  phones: Phone[],
  picture: (name: string) => string,
  moment: string,
): Promise<PhonePicture[]> {
  const shots: PhonePicture[] = [];
  for (const [at, phone] of phones.entries()) {
    shots.push({ caption: phone.name, png: await phone.screenshot(picture(`${moment}-${at + 1}`)) });
  }
  return shots;
}
