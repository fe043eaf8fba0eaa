/** What several requests in flight gain over one after the other, and what a hop costs beside the stages' own work. */

import type { Server } from "../server.ts";
import { inSlowRoom, ready, type SlowRoom } from "./slow-room.ts";

/** Four answers, at once and one after the other. */
export interface ThroughputRun {
  round: number;
  together_secs: number;
  apart_secs: number;
  /** Whether each answer was the same both times. */
  same_tokens: boolean;
}

export async function throughputRounds(
  server: Server,
  rounds: number,
  tell: (line: string) => void,
): Promise<ThroughputRun[]> {
  const query = { pledge: PLEDGE, requests: REQUESTS };
  return inSlowRoom(server, SHARES, query, async (room) => {
    const view = await ready(room.coordinator, "best");
    tell(`${view.plan?.stages.length ?? 0} phones hold parts`);
    const runs: ThroughputRun[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      const run = await throughputRun(room, round);
      const words = `${run.together_secs.toFixed(2)} s together, ${run.apart_secs.toFixed(2)} s one after the other`;
      tell(round === 0 ? `to warm up: ${words}` : `round ${round}: ${words}`);
      if (round > 0) runs.push(run);
    }
    return runs;
  });
}

async function throughputRun({ coordinator }: SlowRoom, round: number): Promise<ThroughputRun> {
  const answers = (isTogether: boolean): Promise<{ secs: number; tokens: number[][] }> =>
    coordinator.page.evaluate(
      async ([count, tokens, together]) => {
        const { engine } = window.lingualinked;
        const since = performance.now();
        const turns = [];
        for (let seed = 1; seed <= count; seed += 1) {
          const options = { temperature: 0.8, topK: 0, topP: 1, seed, maxTokens: tokens };
          const turn = engine.finished(engine.ask("Once upon a time", options));
          turns.push(together ? turn : await turn);
        }
        const done = await Promise.all(turns);
        const secs = (performance.now() - since) / 1000;
        return { secs, tokens: done.map((turn) => (turn.state === "done" ? turn.stats.tokens : [])) };
      },
      [REQUESTS, TOKENS, isTogether] as const,
    );
  const isFirst = round % 2 === 1;
  const first = await answers(isFirst);
  const second = await answers(!isFirst);
  const [together, apart] = isFirst ? [first, second] : [second, first];
  return {
    round,
    together_secs: together.secs,
    apart_secs: apart.secs,
    same_tokens: String(together.tokens) === String(apart.tokens),
  };
}

const REQUESTS = 4;
const TOKENS = 64;
const SHARES = [0.45, 0.45, 0.45];
/** Room for as many KV caches as there are requests. */
const PLEDGE = "share:5:3";
