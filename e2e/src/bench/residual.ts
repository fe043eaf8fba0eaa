/**
 * What skip links are worth: how long an encoder-decoder on three slow phones takes to its first token, with the
 * encoder's output going straight to those who read it, and along the ring.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Server } from "../server.ts";
import { HERE } from "../settings.ts";
import { answerOn } from "./ours.ts";
import { median } from "./report.ts";
import { inSlowRoom, ready } from "./slow-room.ts";

export interface ResidualRun {
  round: number;
  skips: boolean;
  /** The median of several answers. */
  first_token_secs: number;
  tokens: number[];
}

export async function residualRound(round: number, tell: (line: string) => void): Promise<ResidualRun[]> {
  const server = await Server.start({ models: [FOLDER] });
  try {
    const order = round % 2 === 1 ? [true, false] : [false, true];
    const runs: ResidualRun[] = [];
    for (const skips of order) {
      const run = await residualRun(server, round, skips);
      const way = skips ? "straight to its readers" : "along the ring";
      tell(`round ${round}, ${way}: the first token after ${(1000 * run.first_token_secs).toFixed(0)} ms`);
      runs.push(run);
    }
    return runs;
  } finally {
    await server.stop();
  }
}

function residualRun(server: Server, round: number, skips: boolean): Promise<ResidualRun> {
  const query = {
    model: `/models/${NAME}.gguf`,
    pledge: PLEDGE,
    wire: "f32" as const,
    skip: skips ? ("on" as const) : ("off" as const),
  };
  return inSlowRoom(server, SHARES, query, async ({ coordinator }) => {
    await ready(coordinator, "equal");
    const prompts = JSON.parse(readFileSync(join(FOLDER, `${NAME}.json`), "utf8")) as Prompts;
    const times: number[] = [];
    let tokens: number[] = [];
    for (let answer = 0; answer <= ANSWERS; answer += 1) {
      const { ttftSecs, tokens: drawn } = await answerOn(coordinator, prompts.long.text, TOKENS);
      if (answer > 0) times.push(ttftSecs);
      tokens = drawn;
    }
    return { round, skips, first_token_secs: median(times) ?? NaN, tokens };
  });
}

interface Prompts {
  long: { text: string };
}

/** Tiny models with random weights. */
const FOLDER = join(HERE, "../crates/testkit/golden");
const NAME = "flan-t5-q8_0";
const SHARES = [0.45, 0.45, 0.45];
const PLEDGE = "share:1.6:3";
const ANSWERS = 7;
const TOKENS = 8;
