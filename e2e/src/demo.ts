/**
 * The driver of `cargo xtask demo`: several phones answer one prompt, then one phone answers it alone, and the tokens
 * are compared. Options come as one JSON object by standard input; progress and the streamed text go to standard error; the last line of standard output is the result.
 */

import { randomInt } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { drive, type Tell } from "./driver.ts";
import type { AskOptions } from "../../web/src/engine/messages.ts";
import { DESCRIPTORS, launchChromium } from "./chromium.ts";
import { demoResult, stageLine, type Answered, type DemoResult } from "./demo-result.ts";
import { parseDemoOptions, type DemoOptions } from "./demo-options.ts";
import type { PhoneQuery } from "./address.ts";
import { PhoneError, type Phone } from "./phone.ts";
import { gather, prepare } from "./room.ts";
import { Server } from "./server.ts";
import { bundledModel, settings } from "./settings.ts";

/** Memory that all phones together lend, as a multiple of what the model needs: little enough to force a split. */
const PLEDGE_FACTOR = 1.3;
const MODEL_NAME = "model.gguf";
const CHECK_LIMIT_MS = 180_000;
/** Without a new token; the first one comes after the whole prompt has gone through. */
const STALL_LIMIT_MS = 300_000;

export async function demo(options: DemoOptions, tell: (line: string) => void): Promise<DemoResult> {
  // Under a name that fits into an address, whatever the file is called.
  const folder = mkdtempSync(join(tmpdir(), "lingualinked-model-"));
  symlinkSync(resolve(options.model ?? bundledModel(settings().models)), join(folder, MODEL_NAME));
  try {
    const server = await Server.start({ models: [folder], accessLog: options.accessLog });
    try {
      return await compare(options, server, tell);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(
  options: DemoOptions,
  server: Server,
  tell: (line: string) => void,
): Promise<DemoResult> {
  const how: AskOptions = {
    temperature: options.temperature,
    topK: 0,
    topP: 1,
    seed: options.seed ?? randomInt(2 ** 32),
    maxTokens: options.maxTokens,
  };
  const together = await answerOn(options.phones, server, options, how, tell);
  tell("the same prompt on one phone alone");
  const alone = await answerOn(1, server, { ...options, screenshots: undefined }, how, tell);
  return demoResult(together, alone, await server.stats());
}

/** One room of so many phones, from an empty page to the whole answer; then everything is closed. */
async function answerOn(
  count: number,
  server: Server,
  options: DemoOptions,
  how: AskOptions,
  tell: (line: string) => void,
): Promise<Answered> {
  const phones: Phone[] = [];
  try {
    for (const descriptor of DESCRIPTORS.slice(0, count)) {
      phones.push(await launchChromium(descriptor, { isHeaded: options.headed }));
      tell(`${descriptor}: a browser of its own`);
    }
    return await answerIn(phones, server, options, how, tell);
  } catch (cause) {
    await picture(phones, options, "failed");
    throw withComplaints(cause, phones);
  } finally {
    await Promise.allSettled(phones.map((phone) => phone.close()));
  }
}

async function answerIn(
  phones: Phone[],
  server: Server,
  options: DemoOptions,
  how: AskOptions,
  tell: (line: string) => void,
): Promise<Answered> {
  const [coordinator] = phones;
  if (!coordinator) throw new Error("the demo needs a phone");
  const query: PhoneQuery = {
    model: `/models/${MODEL_NAME}`,
    pledge: `share:${PLEDGE_FACTOR}:${phones.length}`,
  };
  const invite = async (phone: Phone): Promise<string> => {
    await refuseTooLong(phone, options.prompt, tell);
    return phone.scan();
  };
  await gather(server, phones, { query, invite, tell });
  if (phones.length === 1) await refuseTooLong(coordinator, options.prompt, tell);
  await picture(phones, options, "gathering");
  const room = await prepare(phones, tell);
  for (const stage of room.plan?.stages ?? []) tell(stageLine(room, stage));
  if (room.plan) tell(room.plan.reason);
  const ask = await coordinator.ask(options.prompt, how);
  const turn = await coordinator.answer(ask, STALL_LIMIT_MS, (delta) => void process.stderr.write(delta));
  process.stderr.write("\n");
  if (turn.stats.decodeTokensPerSec > 0)
    tell(`measured: ${millis(1 / turn.stats.decodeTokensPerSec)} a token`);
  await picture(phones, options, "answered");
  return { turn, room: await coordinator.room() };
}

function millis(secs: number): string {
  return `${(secs * 1000).toFixed(1)} ms`;
}

/** Before anything is loaded, and in one room alone before the others come. */
async function refuseTooLong(phone: Phone, prompt: string, tell: (line: string) => void): Promise<void> {
  const { promptTokens, contextTokens } = await phone.check(prompt, CHECK_LIMIT_MS);
  if (promptTokens > contextTokens) throw new PromptTooLong(promptTokens, contextTokens);
  tell(`the prompt has ${promptTokens} tokens, of ${contextTokens} that the model reads`);
}

class PromptTooLong extends Error {
  constructor(promptTokens: number, contextTokens: number) {
    super(
      `the prompt has ${promptTokens} tokens, but the model reads at most ${contextTokens}; shorten the prompt`,
    );
  }
}

async function picture(phones: Phone[], options: DemoOptions, moment: string): Promise<void> {
  const { screenshots } = options;
  if (screenshots === undefined) return;
  mkdirSync(screenshots, { recursive: true });
  const shots = phones.map((phone, at) => phone.screenshot(join(screenshots, `${moment}-${at + 1}.png`)));
  await Promise.allSettled(shots);
}

/** The engine's own sentence and, for what the page did not explain, what its console says. */
function withComplaints(cause: unknown, phones: Phone[]): Error {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  if (error instanceof PhoneError && error.error.code === "prompt_too_long") {
    const { promptTokens, contextTokens } = error.error;
    if (promptTokens !== undefined && contextTokens !== undefined)
      return new PromptTooLong(promptTokens, contextTokens);
  }
  const notes = phones.flatMap(({ name, uncaught, complaints }) =>
    [...uncaught, ...complaints].slice(0, 3).map((note) => `\n  ${name}: ${note.slice(0, 500)}`),
  );
  return notes.length > 0 && !(error instanceof PromptTooLong)
    ? new Error(error.message + notes.join(""))
    : error;
}

async function main(text: string, tell: Tell): Promise<void> {
  const result = await demo(parseDemoOptions(text || "{}"), tell);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (!result.matches_single_device) throw new Error("the phones' tokens are not those of one phone alone");
}

drive(main);
