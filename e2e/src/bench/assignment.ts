/**
 * The driver of `cargo xtask bench assignment`: three phones of unequal speed run the planner's assignment and parts of
 * equal size in turns, and both predictions are compared with the clock. Options come as one JSON object by standard
 * input; progress goes to standard error; standard output has a table, and the result as its last line.
 */

import { drive, type Tell } from "../driver.ts";
import { whyNoQuotas } from "../quota.ts";
import { Server } from "../server.ts";
import { settings } from "../settings.ts";
import { assignmentResult, assignmentTable, type Run } from "./assignment-result.ts";
import { assignmentRound, checkQuotas } from "./assignment-round.ts";

interface Options {
  rounds: number;
}

async function bench({ rounds }: Options, tell: (line: string) => void): Promise<Run[]> {
  await checkQuotas(tell);
  const server = await Server.start({ models: settings().models });
  try {
    const runs: Run[] = [];
    for (let round = 1; round <= rounds; round += 1)
      runs.push(...(await assignmentRound(server, round, tell)));
    return runs;
  } finally {
    await server.stop();
  }
}

async function main(text: string, tell: Tell): Promise<void> {
  const options = JSON.parse(text) as Options;
  const why = whyNoQuotas();
  if (why !== null) {
    process.stdout.write(`skipped: ${why}\n${JSON.stringify({ skipped: why })}\n`);
    return;
  }
  const runs = await bench(options, tell);
  process.stdout.write(`${assignmentTable(runs)}\n${JSON.stringify(assignmentResult(runs))}\n`);
}

drive(main);
