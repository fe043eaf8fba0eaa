/** What each wire type costs and what it changes: the same answer on three slow phones, with hidden states in each. */

import type { WireType } from "../../../web/src/engine/messages.ts";
import type { Phone } from "../phone.ts";
import type { Server } from "../server.ts";
import { answerOn } from "./ours.ts";
import { median } from "./report.ts";
import { inSlowRoom, ready } from "./slow-room.ts";

export interface WireRun {
  round: number;
  wire: WireType;
  /** Of a long prompt; the median of several answers. */
  first_token_secs: number;
  /** Of a token after it. */
  token_millis: number;
  /** All that phones sent, for each token of prompt and answer. */
  bytes_per_token: number;
  tokens: number[];
}

/** The medians of a wire type. */
export interface WireResult {
  wire: WireType;
  first_token_secs: number | null;
  token_millis: number | null;
  bytes_per_token: number | null;
  /** How many of the answer's tokens are as with 32-bit floats, before the first other one. */
  same_tokens: number;
}

export async function wireRound(
  server: Server,
  round: number,
  tell: (line: string) => void,
): Promise<WireRun[]> {
  const runs: WireRun[] = [];
  for (const wire of round % 2 === 1 ? WIRES : [...WIRES].reverse()) {
    const run = await wireRun(server, round, wire);
    const [first, token] = [run.first_token_secs.toFixed(2), run.token_millis.toFixed(1)];
    tell(
      `round ${round}, ${wire}: the first token after ${first} s, then ${token} ms each, ${run.bytes_per_token.toFixed(0)} bytes for each token`,
    );
    runs.push(run);
  }
  return runs;
}

export function wireResults(runs: WireRun[]): WireResult[] {
  const exact = runs.find(({ wire }) => wire === "f32")?.tokens ?? [];
  return WIRES.map((wire) => {
    const own = runs.filter((run) => run.wire === wire);
    const of = (value: (run: WireRun) => number): number | null => median(own.map(value));
    const differs = (own[0]?.tokens ?? []).findIndex((token, at) => token !== exact[at]);
    return {
      wire,
      first_token_secs: of((run) => run.first_token_secs),
      token_millis: of((run) => run.token_millis),
      bytes_per_token: of((run) => run.bytes_per_token),
      same_tokens: differs < 0 ? (own[0]?.tokens.length ?? 0) : differs,
    };
  });
}

function wireRun(server: Server, round: number, wire: WireType): Promise<WireRun> {
  const query = { pledge: PLEDGE, wire, balance: "off" as const };
  return inSlowRoom(server, SHARES, query, async ({ coordinator }) => {
    await ready(coordinator, "equal");
    await answerOn(coordinator, PROMPT, TOKENS);
    const before = await bytesSent(coordinator);
    const answers = [];
    for (let answer = 0; answer < ANSWERS; answer += 1) {
      answers.push(await answerOn(coordinator, PROMPT, TOKENS));
    }
    const bytes = (await bytesSent(coordinator)) - before;
    const count = answers.reduce((sum, { promptTokens, tokens }) => sum + promptTokens + tokens.length, 0);
    const token_secs = answers.map(({ decodeSecs, tokens }) => decodeSecs / (tokens.length - 1));
    return {
      round,
      wire,
      first_token_secs: median(answers.map(({ ttftSecs }) => ttftSecs)) ?? NaN,
      token_millis: 1000 * (median(token_secs) ?? NaN),
      bytes_per_token: bytes / count,
      tokens: answers[0]?.tokens ?? [],
    };
  });
}

/** By all phones of the room. They tell it now and then. */
async function bytesSent(phone: Phone): Promise<number> {
  await phone.page.waitForTimeout(REPORT_MS);
  const { peers } = await phone.room();
  return peers.reduce((sum, { counters }) => sum + counters.bytesSent, 0);
}

const WIRES: WireType[] = ["f32", "f16", "int8"];
const SHARES = [0.45, 0.45, 0.45];
const PLEDGE = "share:1.3:3";
const SENTENCE = "Once upon a time there was a little dog who liked to run in the big park. ";
const PROMPT = SENTENCE.repeat(8);
const TOKENS = 32;
const ANSWERS = 3;
const REPORT_MS = 2500;
