import type { Locator } from "@playwright/test";

import type { ErrorCode } from "../../../web/src/engine/messages.ts";
import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, phasesOf, prepare } from "../../src/room.ts";
import type { Server } from "../../src/server.ts";
import { within } from "../../src/waiting.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const TOKENS = 16;
const STALL_LIMIT_MS = 120_000;
/** A lost link is missed after some seconds, and offered again after some more. */
const RETURN_LIMIT_MS = 60_000;
const BEGIN_LIMIT_MS = 300_000;

test("a link that breaks comes back, and the answer over it goes on where it was", async ({
  server,
  launch,
}) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  await second.watchLinks();
  await readyRoom(server, [first, second]);
  const how = { temperature: 0.8, topK: 0, topP: 1, seed: 7, maxTokens: 100 };
  const undisturbed = await second.answer(await second.ask(PROMPT, how), STALL_LIMIT_MS);

  const ask = await second.ask(PROMPT, how);
  await second.midst(ask);
  // Where the first phone is to offer the next link, this is on its screen for a second.
  const missed = first.page.evaluate(() =>
    window.lingualinked.engine.view.when(({ room }) => room?.error?.code === "phone_left").then(() => true),
  );
  await second.breakLinks();
  await within(RETURN_LIMIT_MS, `${first.name}: that a phone is gone`, missed);
  await expect.poll(() => openLinks(first), { timeout: RETURN_LIMIT_MS }).toBe(1);
  await expect.poll(() => openLinks(second), { timeout: RETURN_LIMIT_MS }).toBe(1);

  const turn = await second.answer(ask, BEGIN_LIMIT_MS);
  expect(turn.text).toEqual(undisturbed.text);
  expect(turn.stats.tokens).toEqual(undisturbed.stats.tokens);
});

test("a phone whose GPU is lost says so, joins again with a new one, and the answer goes on", async ({
  server,
  launch,
  picture,
}) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  await second.watchGpu();
  await readyRoom(server, [first, second]);

  await second.loseGpu();
  const ask = await first.ask(PROMPT, { temperature: 0, topK: 0, topP: 1, seed: 1, maxTokens: TOKENS });
  await shows(first, "device_failed");
  const notice = await shows(second, "device_lost");
  await second.screenshot(picture("device-lost"));

  await notice.getByTestId("way-out").click();
  await expect.poll(() => openLinks(second), { timeout: RETURN_LIMIT_MS }).toBe(1);
  await expect.poll(() => openLinks(first), { timeout: RETURN_LIMIT_MS }).toBe(1);
  isRight(await first.answer(ask, BEGIN_LIMIT_MS));
  await answersRight(second);
});

test("a phone whose GPU has no memory for its part is named, and loads it once there is", async ({
  server,
  launch,
  picture,
  seats,
}) => {
  test.skip(seats === "android", "a real GPU may have as much memory as is asked of it here");
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  await second.watchGpu();
  await gatherForBoth(server, [first, second]);
  await second.runShortOfMemory();

  await first.begin();
  const notice = await shows(first, "out_of_memory");
  await expect(notice).toContainText(second.name);
  await first.screenshot(picture("out-of-memory"));

  await second.haveMemory();
  await beginAgain(first, second);
  await answersRight(second);
});

async function readyRoom(server: Server, phones: Phone[]): Promise<void> {
  await gatherForBoth(server, phones);
  await prepare(phones);
}

/** Both phones are needed for the model. */
async function gatherForBoth(server: Server, phones: Phone[]): Promise<void> {
  const query = { model: bundled().url, pledge: "share:1.3:2", temperature: 0, tokens: TOKENS };
  await gather(server, phones, { query });
}

async function shows(phone: Phone, code: ErrorCode): Promise<Locator> {
  const notice = phone.page.getByTestId("error").last();
  await expect(notice).toHaveAttribute("data-code", code, { timeout: RETURN_LIMIT_MS });
  return notice;
}

/** To how many others the phone is linked; none while it is in no room. */
async function openLinks(phone: Phone): Promise<number> {
  const { room } = await phone.view();
  return (room?.peers ?? []).filter((peer) => !peer.me && peer.link === "open").length;
}

async function beginAgain(coordinator: Phone, other: Phone): Promise<void> {
  await coordinator.page.getByTestId("begin").click();
  await expect
    .poll(() => phasesOf([coordinator, other]), { timeout: BEGIN_LIMIT_MS })
    .toEqual(["ready", "ready"]);
}

async function answersRight(phone: Phone): Promise<void> {
  isRight(await phone.answer(await phone.type(PROMPT), STALL_LIMIT_MS));
}

function isRight(turn: Awaited<ReturnType<Phone["answer"]>>): void {
  expect(turn.stats.tokens).toEqual(bundled().golden(PROMPT).tokens.slice(0, TOKENS));
}
