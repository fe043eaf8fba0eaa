/** A round of `cargo xtask bench assignment`: the planner's assignment and parts of equal size on three fresh phones. */

import type { Assignment, RoomView } from "../../../web/src/engine/messages.ts";
import { stageLine } from "../demo-result.ts";
import type { Phone } from "../phone.ts";
import { slowdown } from "../quota.ts";
import type { Server } from "../server.ts";
import type { Run } from "./assignment-result.ts";
import { answerOn } from "./ours.ts";
import { inSlowRoom, ready } from "./slow-room.ts";

/** Shows that quotas slow phones down as they should. */
export async function checkQuotas(tell: (line: string) => void): Promise<void> {
  for (const share of new Set(SHARES)) {
    const times = await slowdown(share);
    tell(`bursts with ${100 * share} % of a processor take ${times.toFixed(2)} times as long`);
    if (Math.abs(times * share - 1) > TOLERANCE)
      throw new Error(
        `a quota of ${share} slows bursts ${times.toFixed(2)} times: nothing would be compared`,
      );
  }
}

/** Three fresh phones in a fresh room; the two assignments, one after the other. */
export function assignmentRound(server: Server, round: number, tell: (line: string) => void): Promise<Run[]> {
  return inSlowRoom(server, SHARES, { pledge: PLEDGE }, async ({ coordinator }) => {
    const order: Assignment[] = round % 2 === 1 ? ["best", "equal"] : ["equal", "best"];
    const runs: Run[] = [];
    for (const assignment of order) {
      const run = await runOnce(coordinator, round, assignment, tell);
      tell(
        `round ${round}, ${assignment}: ${ms(run.measured_secs)} measured, ${ms(run.predicted_secs)} predicted`,
      );
      runs.push(run);
    }
    return runs;
  });
}

async function runOnce(
  coordinator: Phone,
  round: number,
  assignment: Assignment,
  tell: (line: string) => void,
): Promise<Run> {
  const room = await ready(coordinator, assignment);
  const plan = room.plan;
  if (!plan) throw new Error("a room that is ready has a plan");
  for (const line of planLines(room)) tell(`  ${line}`);
  await answerOn(coordinator, PROMPT, WARM_UP_TOKENS);
  const { tokens, decodeSecs } = await answerOn(coordinator, PROMPT, TIMED_TOKENS);
  const { plan: after } = await coordinator.room();
  const took = after?.stages.map(({ measuredSecs }) => ms(measuredSecs ?? NaN));
  tell(`  measured: ${took?.join(", ")}`);
  return {
    round,
    assignment,
    measured_secs: decodeSecs / (tokens.length - 1),
    predicted_secs: plan.predictedTokenSecs,
    modules: plan.stages.map((stage) => stage.end - stage.start),
    tokens,
  };
}

/** Who runs what, and what that and the links are expected to take. */
function planLines(room: RoomView): string[] {
  const name = (id: string): string => room.peers.find((peer) => peer.id === id)?.name ?? id;
  const speed = (id: string): string => {
    const peer = room.peers.find((one) => one.id === id);
    const [mean, spread] = [peer?.flopsPerSec ?? 0, peer?.flopsPerSecSpread ?? 0].map((flops) =>
      (flops / 1e9).toFixed(3),
    );
    return `${mean} ± ${spread} GFLOP/s`;
  };
  const { stages, traffic } = room.plan ?? { stages: [], traffic: [] };
  return [
    ...stages.map((stage) => `${stageLine(room, stage)}: ${ms(stage.predictedSecs)} at ${speed(stage.peer)}`),
    ...traffic.map(({ from, to, predictedSecs }) => `${name(from)} -> ${name(to)}: ${ms(predictedSecs)}`),
  ];
}

function ms(secs: number): string {
  return `${(1000 * secs).toFixed(1)} ms`;
}

/** Of one processor, for each phone. */
const SHARES = [0.6, 0.6, 0.2];
/** How far bursts may be from as slow as their quota says. */
const TOLERANCE = 0.25;
/** Half of the model for each of the three phones. */
const PLEDGE = "share:1.5:3";
const PROMPT = "Once upon a time there was a little dog";
const WARM_UP_TOKENS = 16;
const TIMED_TOKENS = 64;
