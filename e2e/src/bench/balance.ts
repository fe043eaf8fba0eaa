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
  /** When each piece of the answer was seen, from the slow-down on; less than 0 before it. */
  token_secs: number[];
  /** When the cuts moved, from the slow-down on. */
  switch_secs: number[];
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
    const rest = await restOfAnswer(coordinator);
    const { plan } = await coordinator.room();
    return {
      round,
      balances,
      ...rest,
      modules: plan?.stages.map(({ start, end }) => end - start) ?? [],
      cause: plan?.cause ?? null,
      pause_secs: plan?.pauseSecs ?? null,
    };
  });
}

/** Asks, and waits for some tokens of the answer. */
async function startAnswer(phone: Phone): Promise<void> {
  await phone.page.evaluate(
    async ([text, options, tokens]) => {
      const { engine } = window.lingualinked;
      const [times, switches]: [number[], number[]] = [[], []];
      let [length, cuts] = [0, ""];
      engine.view.subscribe((view) => {
        const now = view.turns.at(-1)?.text.length ?? 0;
        const cutsNow = String(view.room?.plan?.stages.map(({ start }) => start));
        if (now > length) times.push(performance.now());
        if (cuts !== "" && cutsNow !== cuts) switches.push(performance.now());
        [length, cuts] = [now, cutsNow];
      });
      const ask = engine.ask(text, options);
      Object.assign(window, { pieces: { ask, times, switches } });
      await engine.view.when(() => times.length >= tokens);
    },
    [PROMPT, HOW, STEADY_TOKENS] as const,
  );
}

/** All times are from now; `secs` is that of the last of the timed tokens. */
async function restOfAnswer(
  phone: Phone,
): Promise<Pick<BalanceRun, "secs" | "tokens" | "token_secs" | "switch_secs">> {
  const { turn, since, times, switches } = await phone.page.evaluate(async () => {
    const since = performance.now();
    const { pieces } = window as unknown as { pieces: Pieces };
    const turn = await window.lingualinked.engine.finished(pieces.ask);
    return { turn, since, ...pieces };
  });
  if (turn.state !== "done") throw new Error(`the answer ended in the state ${turn.state}`);
  const inSecs = (time: number): number => Number(((time - since) / 1000).toFixed(4));
  const token_secs = times.map(inSecs);
  const secs = token_secs.filter((at) => at > 0)[TIMED_TOKENS - 1];
  if (secs === undefined) throw new Error("the answer was shorter than what is timed");
  return { secs, tokens: turn.stats.tokens, token_secs, switch_secs: switches.map(inSecs) };
}

/** What the page keeps of an answer: milliseconds of its clock. */
interface Pieces {
  ask: number;
  times: number[];
  switches: number[];
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
