/**
 * The driver of `cargo xtask bench room`: what a room of three slow phones gains by having several requests in flight, by
 * moving its cuts, by the planner's assignment and by skip links, what wire types cost, and what a hop costs where no phone is slow. Options come as one JSON object by standard input; progress goes to standard error; standard
 * output has a table, and the result as its last line.
 */

import { drive, type Tell } from "../driver.ts";
import { whyNoQuotas } from "../quota.ts";
import { Server } from "../server.ts";
import { settings } from "../settings.ts";
import type { Run } from "./assignment-result.ts";
import { assignmentRound, checkQuotas } from "./assignment-round.ts";
import { balanceRound, type BalanceRun } from "./balance.ts";
import { hopCost } from "./hop.ts";
import { residualRound, type ResidualRun } from "./residual.ts";
import { roomResult, roomTable } from "./room-result.ts";
import { throughputRounds } from "./throughput.ts";
import { wireRound, type WireRun } from "./wires.ts";

interface Options {
  rounds: number;
}

async function main(text: string, tell: Tell): Promise<void> {
  const { rounds } = JSON.parse(text) as Options;
  const why = whyNoQuotas();
  if (why !== null) {
    process.stdout.write(`skipped: ${why}\n${JSON.stringify({ skipped: why })}\n`);
    return;
  }
  const server = await Server.start({ models: settings().models });
  try {
    const hop = await hopCost(server, rounds, tell);
    await checkQuotas(tell);
    const throughput = await throughputRounds(server, rounds, tell);
    const balance: BalanceRun[] = [];
    const assignment: Run[] = [];
    const residual: ResidualRun[] = [];
    const wires: WireRun[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      balance.push(...(await balanceRound(server, round, tell)));
      assignment.push(...(await assignmentRound(server, round, tell)));
      residual.push(...(await residualRound(round, tell)));
      wires.push(...(await wireRound(server, round, tell)));
    }
    const result = roomResult({ throughput, balance, assignment, residual, wires, hop });
    process.stdout.write(`${roomTable(result)}\n${JSON.stringify(result)}\n`);
  } finally {
    await server.stop();
  }
}

drive(main);
