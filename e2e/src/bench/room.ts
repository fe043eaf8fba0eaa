/**
 * The driver of `cargo xtask bench room`: what a room of three slow phones gains by moving its cuts and by having several
 * requests in flight. Options come as one JSON object by standard input; progress goes to standard error; standard
 * output has a table, and the result as its last line.
 */

import { drive, type Tell } from "../driver.ts";
import { whyNoQuotas } from "../quota.ts";
import { Server } from "../server.ts";
import { settings } from "../settings.ts";
import { balanceRound, type BalanceRun } from "./balance.ts";
import { roomResult, roomTable } from "./room-result.ts";
import { throughputRounds } from "./throughput.ts";

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
    const throughput = await throughputRounds(server, rounds, tell);
    const balance: BalanceRun[] = [];
    for (let round = 1; round <= rounds; round += 1)
      balance.push(...(await balanceRound(server, round, tell)));
    const result = roomResult(throughput, balance);
    process.stdout.write(`${roomTable(result)}\n${JSON.stringify(result)}\n`);
  } finally {
    await server.stop();
  }
}

drive(main);
