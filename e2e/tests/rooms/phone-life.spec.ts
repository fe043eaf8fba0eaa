import type { Locator } from "@playwright/test";

import type { AskOptions } from "../../../web/src/engine/messages.ts";
import type { PhoneQuery } from "../../src/address.ts";
import { bundled } from "../../src/golden.ts";
import { PhoneLife } from "../../src/phone-life.ts";
import type { AnsweredTurn, Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { ownView } from "../../src/stages.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const STALL_LIMIT_MS = 120_000;
/** Figures still come in for a moment after an answer. */
const SETTLE_LIMIT_MS = 30_000;
/** What phones hold is loaded anew. */
const RETURN_LIMIT_MS = 120_000;
/** Longer than a page takes until somebody who looks at another app counts as away, which are 2 s. */
const LONG: AskOptions = { temperature: 0.8, topK: 0, topP: 1, seed: 7, maxTokens: 400 };

test("the screen stays on while the phone is in the room, and shows what each phone does", async ({
  server,
  launch,
  picture,
}) => {
  const phones = (await launch(2, server)) as [Phone, Phone];
  const [first, second] = phones;
  const life = await PhoneLife.fake(second);
  // Both are needed for the model.
  await gather(server, phones, { query: wishes({ pledge: "share:1.3:2" }) });
  await prepare(phones);
  expect(ownView(await second.room()).stage).not.toBeNull();

  await test.step("a lock that the system takes back is taken again", async () => {
    const isKept = second.page.getByTestId("awake");
    const mayGoDark = second.page.getByTestId("may-go-dark");
    await expect(isKept).toBeVisible();
    expect(await life.screenLocks()).toMatchObject({ given: 1, held: 1 });
    await life.takeScreenLocks();
    await expect(mayGoDark).toBeVisible();
    await expect(isKept).toHaveCount(0);
    await expect(isKept).toBeVisible();
    await expect(mayGoDark).toHaveCount(0);
    const locks = await life.screenLocks();
    expect(locks).toMatchObject({ given: 2, held: 1 });
    test.info().annotations.push({ type: "screen locks", description: JSON.stringify(locks) });
  });

  await test.step("the screen says how long each phone computes, sends and waits", async () => {
    isRight(await answered(first));
    await openStrip(first);
    const times = first.page.getByTestId("phone-times");
    await expect(times).toBeVisible();
    await expect(() => timesAddUp(first)).toPass({ timeout: SETTLE_LIMIT_MS });
    await expect(times.locator("li").first()).toContainText(/computes .+, sends .+, waits .+\./);
    await times.scrollIntoViewIfNeeded();
    await first.screenshot(picture("phone-times"));
  });

  await test.step("who leaves the room lets the screen go dark", async () => {
    await second.leave();
    await expect(second.page.getByTestId("leave")).toHaveCount(0);
    await expect.poll(() => life.screenLocks()).toMatchObject({ given: 2, held: 0 });
  });
});

test("a phone that is hidden or nearly without power hands its part over in the middle of an answer", async ({
  server,
  launch,
  picture,
}) => {
  const phones = (await launch(3, server)) as [Phone, Phone, Phone];
  const [first, ...others] = phones;
  const lives: PhoneLife[] = [];
  for (const phone of others) lives.push(await PhoneLife.fake(phone));
  // Each has room for the whole model, but for the sake of several answers at once they share it.
  await gather(server, phones, { query: wishes({ pledge: "share:15:3", requests: 2 }) });
  await prepare(phones);
  const undisturbed = await first.answer(await first.ask(PROMPT, LONG), STALL_LIMIT_MS);

  const hidden = await test.step("another app is in front of its page", async () => {
    const life = await withPart(first, lives, 0);
    const ask = await first.ask(PROMPT, LONG);
    await first.midst(ask, 20, STALL_LIMIT_MS);
    await life.hide();
    const turn = await first.answer(ask, STALL_LIMIT_MS);
    expect(turn.stats.tokens).toEqual(undisturbed.stats.tokens);
    await tellsWhy(first, life.phone, "'s page is not in front, so the others took over its part.");
    await first.screenshot(picture("handed-over-hidden"));
    await life.show();
    await takesPartAgain(first, life.phone);
    await expect.poll(() => life.screenLocks()).toMatchObject({ held: 1 });
    return life.phone;
  });

  await test.step("its battery is low", async () => {
    const life = await withPart(first, lives, -1);
    const before = await stepsRun(hidden);
    const ask = await first.ask(PROMPT, LONG);
    await first.midst(ask, 20, STALL_LIMIT_MS);
    await life.setBattery(0.1);
    const turn = await first.answer(ask, STALL_LIMIT_MS);
    expect(turn.stats.tokens).toEqual(undisturbed.stats.tokens);
    await expect.poll(() => stepsRun(hidden), `${hidden.name} works again`).toBeGreaterThan(before);
    await tellsWhy(first, life.phone, "'s battery is low, so the others took over its part.");
    await first.screenshot(picture("handed-over-low-battery"));
    await life.setBattery(0.8);
    await takesPartAgain(first, life.phone);
  });

  isRight(await answered(first));
});

/** Answers as long as the golden one. */
function wishes(query: PhoneQuery): PhoneQuery {
  const tokens = bundled().golden(PROMPT).tokens.length;
  return { model: bundled().url, temperature: 0, tokens, ...query };
}

async function answered(phone: Phone): Promise<AnsweredTurn> {
  return phone.answer(await phone.type(PROMPT), STALL_LIMIT_MS);
}

function isRight(turn: AnsweredTurn): void {
  expect(turn.stats.tokens).toEqual(bundled().golden(PROMPT).tokens);
}

async function stepsRun(phone: Phone): Promise<number> {
  return ownView(await phone.room()).counters.stepsRun;
}

/** The names of the phones that run the model, as the first one sees it; none while the room is not ready. */
async function ring(first: Phone): Promise<string[]> {
  const { phase, peers, plan } = await first.room();
  const stages = phase === "ready" ? (plan?.stages ?? []) : [];
  return stages.map(({ peer }) => peers.find(({ id }) => id === peer)?.name ?? peer);
}

/** Of those that have a part, the first or the last. */
async function withPart(first: Phone, lives: PhoneLife[], at: 0 | -1): Promise<PhoneLife> {
  const names = await ring(first);
  const life = lives.filter(({ phone }) => names.includes(phone.name)).at(at);
  if (!life) throw new Error(`${first.name} runs the model alone`);
  return life;
}

/** Opens what the screen tells of the phones; it is closed again whenever a room begins. */
async function openStrip(phone: Phone): Promise<void> {
  const strip = phone.page.getByTestId("room-strip");
  if ((await strip.getAttribute("open")) === null) await strip.locator("summary").first().click();
}

/** The decision on the screen that came last. */
async function lastDecision(phone: Phone): Promise<Locator> {
  await openStrip(phone);
  const decision = phone.page.getByTestId("decisions").locator("li").first();
  await expect(decision).toBeVisible();
  await decision.scrollIntoViewIfNeeded();
  return decision;
}

/** The first phone shows that another has no part any more, why, and that an answer was under way. */
async function tellsWhy(first: Phone, away: Phone, why: string): Promise<void> {
  expect(await ring(first)).not.toContain(away.name);
  const decision = await lastDecision(first);
  await expect(decision).toContainText(away.name + why);
  await expect(decision).toContainText("The answer stood still for");
  expect(await decision.getByRole("img").getAttribute("aria-label")).not.toContain(away.name);
}

async function takesPartAgain(first: Phone, away: Phone): Promise<void> {
  await expect.poll(() => ring(first), { timeout: RETURN_LIMIT_MS }).toContain(away.name);
  await expect(await lastDecision(first)).toContainText("All phones take part again.");
}

/** What a phone's screen says of one phone's time while a token is made, in seconds and in parts of the whole. */
interface PhoneTime {
  peer: string | undefined;
  computeSecs: number;
  sendSecs: number;
  waitSecs: number;
  shares: number[];
}

/** As they are drawn together: what a token took, and each phone's time of that. */
function shownTimes(phone: Phone): Promise<{ tokenSecs: number; times: PhoneTime[] }> {
  return phone.page.getByTestId("plan-card").evaluate((card: HTMLElement) => {
    const items = [...card.querySelectorAll<HTMLElement>("[data-testid=phone-times] li")];
    const times = items.map((item) => {
      const { peer, computeSecs, sendSecs, waitSecs } = item.dataset;
      const pieces = [...item.querySelectorAll<HTMLElement>(".line i")];
      return {
        peer,
        computeSecs: Number(computeSecs),
        sendSecs: Number(sendSecs),
        waitSecs: Number(waitSecs),
        shares: pieces.map(({ style }) => Number(style.flexGrow)),
      };
    });
    return { tokenSecs: Number(card.dataset["measuredSecs"]), times };
  });
}

/** Each phone's parts are what was measured, and together a token's time. */
async function timesAddUp(phone: Phone): Promise<void> {
  const { tokenSecs, times } = await shownTimes(phone);
  const stages = (await phone.room()).plan?.stages ?? [];
  expect(times.map(({ peer }) => peer)).toEqual([...new Set(stages.map(({ peer }) => peer))]);
  for (const { peer, computeSecs, sendSecs, waitSecs, shares } of times) {
    const own = stages.filter((stage) => stage.peer === peer);
    const measuredSecs = own.reduce((sum, stage) => sum + (stage.measuredSecs ?? NaN), 0);
    expect(computeSecs).toBeCloseTo(measuredSecs, 6);
    const parts = [computeSecs, sendSecs, waitSecs];
    for (const secs of parts) expect(secs).toBeGreaterThan(0);
    expect(parts.reduce((sum, secs) => sum + secs)).toBeCloseTo(tokenSecs, 6);
    expect(shares).toHaveLength(parts.length);
    parts.forEach((secs, at) => expect(shares[at]).toBeCloseTo(secs / tokenSecs, 3));
    expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 3);
  }
}
