/**
 * The driver of `cargo xtask soak --only kills`: a phone that is not the one that started the room is killed, or frozen, at
 * a random token of an answer, again and again. Options come as one JSON object by standard input; progress goes to
 * standard error; standard output has a line of JSON for each story, and the result as its last line.
 */

import { drive, type Tell } from "../driver.ts";
import { bundled, type Golden } from "../golden.ts";
import { Server } from "../server.ts";
import { settings } from "../settings.ts";
import { killsResult, type Told } from "./kills-result.ts";
import { SoakRoom } from "./soak-room.ts";
import { storyOf } from "./story.ts";
import { tell as tellStory } from "./telling.ts";

interface Options {
  stories: number;
  /** Of the first story; each following one has the next. */
  seed: number;
}

/** Rooms of each kind go on from story to story; a room in which something went wrong is left. */
async function soak({ stories, seed }: Options, server: Server, tell: Tell): Promise<Told[]> {
  const rooms = new Map<string, SoakRoom>();
  const told: Told[] = [];
  try {
    for (let at = 0; at < stories; at += 1) {
      const story = storyOf(seed + at, answers());
      const one = await tellStory(story, rooms, server);
      told.push(one);
      process.stdout.write(`${JSON.stringify(one)}\n`);
      tell(`story ${at + 1} of ${stories}, seed ${story.seed}: ${inWords(one)}`);
      if (one.failure === null) continue;
      await rooms.get(story.kind.name)?.close();
      rooms.delete(story.kind.name);
    }
    return told;
  } finally {
    await Promise.all([...rooms.values()].map((room) => room.close()));
  }
}

function answers(): Golden[] {
  return bundled().all.filter(({ prompt, tokens }) => prompt !== "" && tokens.length >= LONG_TOKENS);
}

function inWords(told: Told): string {
  const { lost, fault, seen_tokens, had_copy, gap_secs, story_secs, failure } = told;
  const copy = had_copy === null ? "" : had_copy ? ", with a copy" : ", without a copy";
  const gap = gap_secs === null ? "no gap" : `a gap of ${gap_secs.toFixed(2)} s`;
  const end = failure === null ? "" : ` FAILED: ${failure}`;
  return `the ${lost ?? "phone"} ${fault} at token ${seen_tokens ?? "-"}${copy}: ${gap}, in ${story_secs.toFixed(0)} s.${end}`;
}

async function main(text: string, tell: Tell): Promise<void> {
  const options = JSON.parse(text) as Options;
  const server = await Server.start({ models: settings().models });
  try {
    const result = killsResult(await soak(options, server, tell));
    process.stdout.write(`${JSON.stringify(result)}\n`);
    if (result.failed.length > 0) throw new Error(`${result.failed.length} stories failed`);
  } finally {
    await server.stop();
  }
}

/** Answers that are long enough to be interrupted. */
const LONG_TOKENS = 64;

drive(main);
