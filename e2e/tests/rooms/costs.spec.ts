import { setTimeout } from "node:timers/promises";

import { dispatchesOf, pipelinesOf, type GpuCounts } from "../../src/gpu.ts";
import { bundled } from "../../src/golden.ts";
import type { AnsweredTurn, Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { moduleKinds, ownView } from "../../src/stages.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const STALL_LIMIT_MS = 120_000;
/** Two answers that differ in nothing but their length: the difference is what decoded tokens cost. */
const SHORT_TOKENS = 8;
const LONG_TOKENS = 40;
const MOST_DISPATCHES_PER_LAYER = 6;
/** Longer than a page waits for news of its own counters, also on a busy machine. */
const NEWS_MS = 3000;

for (const count of [1, 3]) {
  test(`what a token costs on ${count} phones, counted from outside`, async ({ server, launch }) => {
    const phones = await launch(count, server, { watchGpu: true });
    const [coordinator] = phones as [Phone];
    await gather(server, phones, { query: { model: bundled().url, pledge: `share:1.3:${count}` } });
    const room = await prepare(phones);
    const warm = await counts(phones);

    await answer(coordinator, LONG_TOKENS);
    const start = await counts(phones);
    await answer(coordinator, SHORT_TOKENS);
    const middle = await counts(phones);
    const ownMiddle = await ownDispatches(phones);
    const { stats } = await answer(coordinator, LONG_TOKENS);
    const end = await counts(phones);

    /** Of one phone, for each decoded token. */
    const perToken = (at: number, of: (counts: GpuCounts) => number): number => {
      const [a, b, c] = [start, middle, end].map((all) => of(all[at] as GpuCounts)) as [
        number,
        number,
        number,
      ];
      return (c - b - (b - a)) / (LONG_TOKENS - SHORT_TOKENS);
    };

    let total = 0;
    for (const [at, phone] of phones.entries()) {
      const dispatches = perToken(at, dispatchesOf);
      const { inner, ends } = moduleKinds(room, (await phone.room()).me);
      const most = MOST_DISPATCHES_PER_LAYER * (Math.ceil(inner / 2) + (ends > 0 ? 1 : 0));
      expect(dispatches, `${phone.name}: dispatches a token`).toBeGreaterThan(0);
      expect(dispatches, `${phone.name}: dispatches a token, for ${inner} modules`).toBeLessThanOrEqual(most);
      expect(
        perToken(at, (all) => all.createBuffer),
        `${phone.name}: buffers a token`,
      ).toBe(0);
      const [ready, first, last] = [warm[at], start[at], end[at]] as [GpuCounts, GpuCounts, GpuCounts];
      // Not even the first prompt and the first token compile anything.
      expect(pipelinesOf(last) - pipelinesOf(ready), `${phone.name}: pipelines after loading`).toBe(0);
      total += dispatches;
      test.info().annotations.push({ type: "costs", description: describe(phone, inner, ends, first, last) });
    }

    const layers = ((room.model?.modules ?? 0) - 2) / 2;
    // The embedding and the head together are worth a layer at most.
    expect(total).toBeLessThanOrEqual(MOST_DISPATCHES_PER_LAYER * (layers + 1));
    expect(stats.dispatchesPerToken, "the program's own figure").toBeCloseTo(total, 6);

    await test.step("each phone's own counter agrees", async () => {
      const counted = phones.map(
        (_, at) => dispatchesOf(end[at] as GpuCounts) - dispatchesOf(middle[at] as GpuCounts),
      );
      const own = async (): Promise<number[]> =>
        (await readDispatches(phones)).map((now, at) => now - (ownMiddle[at] ?? 0));
      await expect.poll(own).toEqual(counted);
    });
  });
}

async function answer(phone: Phone, maxTokens: number): Promise<AnsweredTurn> {
  const how = { temperature: 0, topK: 0, topP: 1, seed: 1, maxTokens };
  const turn = await phone.answer(await phone.ask(PROMPT, how), STALL_LIMIT_MS);
  expect(turn.stats.completionTokens).toBe(maxTokens);
  expect(turn.stats.finish).toBe("length");
  return turn;
}

function counts(phones: Phone[]): Promise<GpuCounts[]> {
  return Promise.all(phones.map((phone) => phone.gpuCounts()));
}

/**
 * What the phones say of themselves, once it no longer changes: their pages are told of news a little later. The
 * counters begin with the first step, so they are compared by differences.
 */
async function ownDispatches(phones: Phone[]): Promise<number[]> {
  let last = await readDispatches(phones);
  await expect(async () => {
    const before = last;
    await setTimeout(NEWS_MS);
    last = await readDispatches(phones);
    expect(last).toEqual(before);
  }).toPass();
  return last;
}

async function readDispatches(phones: Phone[]): Promise<number[]> {
  const rooms = await Promise.all(phones.map((phone) => phone.room()));
  return rooms.map((room) => ownView(room).counters.dispatches);
}

function describe(phone: Phone, inner: number, ends: number, first: GpuCounts, last: GpuCounts): string {
  const differences = Object.keys(first).map((key) => {
    const name = key as keyof GpuCounts;
    return `${name} ${last[name] - first[name]}`;
  });
  return `${phone.name}, ${inner} inner modules, ${ends} ends; both answers: ${differences.join(", ")}`;
}
