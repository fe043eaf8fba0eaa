import type { Locator } from "@playwright/test";

import type { ErrorCode } from "../../../web/src/engine/messages.ts";
import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { expect, test } from "../fixtures.ts";

const STALL_LIMIT_MS = 120_000;
/** A phone that falls silent is missed only after the link's own time-outs. */
const MISSED_LIMIT_MS = 120_000;

/** The message on the screen; fails when it is not of this kind. */
async function message(phone: Phone, code: ErrorCode, limitMs = 60_000): Promise<Locator> {
  const notice = phone.page.getByTestId("error").last();
  await expect(notice).toHaveAttribute("data-code", code, { timeout: limitMs });
  await expect(notice.getByRole("heading")).not.toBeEmpty();
  return notice;
}

test("a damaged link", async ({ server, launch, picture }) => {
  const [phone] = (await launch(1, server)) as [Phone];
  await phone.open(`${server.url}/#q83vEjRWeJCrze8`);
  const notice = await message(phone, "room_gone");
  await expect(notice).toContainText("not complete");
  await phone.screenshot(picture("damaged-link"));
  await notice.getByTestId("way-out").click();
  await expect(phone.page.getByTestId("start")).toBeVisible();
});

test("a link to a room that is gone", async ({ server, launch, picture }) => {
  const [phone] = (await launch(1, server)) as [Phone];
  await phone.join(`${server.url}/#q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA`);
  await message(phone, "room_gone");
  await phone.screenshot(picture("room-gone"));
});

test("a full room", async ({ launch, picture }) => {
  const server = await Server.start({ args: ["--max-peers", "2"] });
  try {
    const [first, second, third] = (await launch(3, server)) as [Phone, Phone, Phone];
    const query = { model: bundled().url };
    await gather(server, [first, second], { query });
    await third.join(await first.invitation(), query);
    await message(third, "room_full");
    await third.screenshot(picture("room-full"));
    // The two that are in it do not notice.
    await first.meet(2);
    await expect(first.page.getByTestId("error")).toHaveCount(0);
  } finally {
    await server.stop();
  }
});

test("a phone without WebGPU", async ({ server, launch, picture, seats }) => {
  test.skip(seats === "android", "the first seat would have WebGPU");
  const [phone] = (await launch(1, server, { hasGpu: false })) as [Phone];
  await phone.open(server.url);
  await message(phone, "no_webgpu");
  await phone.screenshot(picture("no-webgpu"));
  await expect(phone.page.getByTestId("start")).toHaveCount(0);
  // It is told before anything large is downloaded.
  expect(server.accessLog().filter(({ uri }) => uri.endsWith(".wasm"))).toEqual([]);
});

test("a phone that goes away in the middle of an answer", async ({ server, launch, picture }) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  await gather(server, [first, second], { query: { model: bundled().url, pledge: "share:1.3:2" } });
  await prepare([first, second]);
  const how = { temperature: 0.8, topK: 0, topP: 1, seed: 3, maxTokens: 400 };
  await first.ask("Once upon a time", how);
  await expect.poll(async () => (await first.view()).turns[0]?.state).toBe("streaming");
  await second.close();
  const notice = await message(first, "phone_left", MISSED_LIMIT_MS);
  await expect(notice).toContainText("waits for one more phone");
  expect((await first.view()).turns[0]?.state).toBe("streaming");
  await first.screenshot(picture("phone-left"));
});

test("the phone that started the room leaves it", async ({ server, launch, picture }) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  await gather(server, [first, second], { query: { model: bundled().url, pledge: "share:1.3:2" } });
  await first.leave();
  await expect(first.page.getByTestId("start")).toBeVisible();
  await message(second, "phone_left", MISSED_LIMIT_MS);
  await second.screenshot(picture("coordinator-left"));
});

test("a question that is too long, and a shorter one after it", async ({ server, launch, picture }) => {
  const [phone] = (await launch(1, server)) as [Phone];
  const query = { model: bundled().url, pledge: "share:1.3:1", temperature: 0, tokens: 4 };
  await phone.start(server.url, query);
  await phone.meet(1);
  const room = await prepare([phone]);
  const context = room.model?.contextTokens ?? 0;
  expect(context).toBeGreaterThan(0);
  const long = "once upon a time ".repeat(Math.ceil(context / 2));
  const { promptTokens, contextTokens } = await phone.check(long, STALL_LIMIT_MS);
  expect(contextTokens).toBe(context);
  expect(promptTokens).toBeGreaterThan(context);
  await phone.type(long);
  const notice = await message(phone, "prompt_too_long");
  await expect(notice).toContainText(String(promptTokens));
  await expect(notice).toContainText(String(contextTokens));
  await phone.screenshot(picture("prompt-too-long"));
  const turn = await phone.answer(await phone.type("Once upon a time"), STALL_LIMIT_MS);
  expect(turn.stats.completionTokens).toBe(4);
});
