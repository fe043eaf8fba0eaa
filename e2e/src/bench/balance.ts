/** What balancing gains: one of three equal phones becomes three times as slow in the middle of an answer. */

import type { Phone } from "../phone.ts";
import type { Server } from "../server.ts";
import { inSlowRoom, ready } from "./slow-room.ts";

/** One answer, with the balancer or without. */
export interface BalanceRun {
  round: number;
  balances: boolean;
  /** From the slow-down on, for {@link TIMED_TOKENS} tokens. */
  secs: number;
  /** Of each stage, in ring order, at the end. */
  modules: number[];
  cause: string | null;
  /** How long the answer stood still for a switch. */
  pause_secs: number | null;
  tokens: number[];
}

export async function balanceRound(
  server: Server,
  round: number,
  tell: (line: string) => void,
): Promise<BalanceRun[]> {
  const order = round % 2 === 1 ? [true, false] : [false, true];
  const runs: BalanceRun[] = [];
  for (const balances of order) {
    const run = await balanceRun(server, round, balances);
    const how = balances ? "balanced" : "left alone";
    tell(
      `round ${round}, ${how}: ${run.secs.toFixed(2)} s, ${run.modules.join("+")} modules. ${run.cause ?? ""}`,
    );
    runs.push(run);
  }
  return runs;
}

function balanceRun(server: Server, round: number, balances: boolean): Promise<BalanceRun> {
  const query = { pledge: PLEDGE, balance: balances ? ("on" as const) : ("off" as const) };
  return inSlowRoom(server, SHARES, query, async ({ coordinator, phones, quotas }) => {
    const room = await ready(coordinator, "equal");
    const slowed = room.plan?.stages[1]?.peer;
    const at = phones.findIndex(({ name }) => room.peers.find(({ id }) => id === slowed)?.name === name);
    await startAnswer(coordinator);
    quotas[at]?.set(SLOW_SHARE);
    const { secs, tokens } = await restOfAnswer(coordinator);
    const { plan } = await coordinator.room();
    return {
      round,
      balances,
      secs,
      modules: plan?.stages.map(({ start, end }) => end - start) ?? [],
      cause: plan?.cause ?? null,
      pause_secs: plan?.pauseSecs ?? null,
      tokens,
    };
  });
}

/** Asks, and waits for some tokens of the answer. */
async function startAnswer(phone: Phone): Promise<void> {
  await phone.page.evaluate(
    async ([text, options, tokens]) => {
      const { engine } = window.lingualinked;
      const times: number[] = [];
      let length = 0;
      engine.view.subscribe((view) => {
        const now = view.turns.at(-1)?.text.length ?? 0;
        if (now > length) times.push(performance.now());
        length = now;
      });
      const ask = engine.ask(text, options);
      Object.assign(window, { pieces: { ask, times } });
      await engine.view.when(() => times.length >= tokens);
    },
    [PROMPT, HOW, STEADY_TOKENS] as const,
  );
}

/** Seconds from now to the last of the timed tokens. */
async function restOfAnswer(phone: Phone): Promise<{ secs: number; tokens: number[] }> {
  const turn = await phone.page.evaluate(async (count) => {
    const since = performance.now();
    const { pieces } = window as unknown as { pieces: { ask: number; times: number[] } };
    const done = await window.lingualinked.engine.finished(pieces.ask);
    const later = pieces.times.filter((time) => time > since);
    return { millis: (later[count - 1] ?? Number.NaN) - since, turn: done };
  }, TIMED_TOKENS);
  if (turn.turn.state !== "done") throw new Error(`the answer ended in the state ${turn.turn.state}`);
  if (Number.isNaN(turn.millis)) throw new Error("the answer was shorter than what is timed");
  return { secs: turn.millis / 1000, tokens: turn.turn.stats.tokens };
}

export const TIMED_TOKENS = 128;
const STEADY_TOKENS = 24;
const PROMPT = "Once upon a time";
/** A long answer. */
const HOW = { temperature: 0.8, topK: 0, topP: 1, seed: 7, maxTokens: 200 };
/** Equal parts, and room for more than twice as much. */
const PLEDGE = "share:2.2:3";
const SHARES = [0.6, 0.6, 0.6];
const SLOW_SHARE = 0.2;
