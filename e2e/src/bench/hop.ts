/**
 * What one hop costs beside the stages' own work: a token of a model on two phones against one on a single phone, which
 * is a hop more in each direction, over loopback and in 32-bit floats, with no phone slowed down.
 */

import { DESCRIPTORS, launchChromium } from "../chromium.ts";
import { engineSpans, gpuMillis, gpuReadBackMs, type GpuMillis } from "../gpu.ts";
import { bundled } from "../golden.ts";
import type { Phone } from "../phone.ts";
import { gather, prepare } from "../room.ts";
import type { Server } from "../server.ts";
import { answerOn } from "./ours.ts";
import { median } from "./report.ts";

/** Milliseconds of a hop. */
export interface HopCost {
  /** By an ordinary clock: the medians of both rooms' tokens, over the two hops. */
  hop_ms: number;
  token_ms_alone: number;
  token_ms_of_two: number;
  /** With clocks around everything, which cost time too; so these add up to more. */
  parts: HopParts;
}

export interface HopParts {
  /** Commands of a second step, and what it takes up. */
  upload_ms: number;
  /** The GPU's result on its way back. */
  read_back_ms: number;
  /** Frames to bytes and back, and handing them to the channel. */
  framing_ms: number;
  /** What is left: the channel, and both phones' event loops. */
  channel_ms: number;
}

export async function hopCost(
  server: Server,
  rounds: number,
  tell: (line: string) => void,
): Promise<HopCost> {
  const [alone, two] = [await tokenMillis(server, 1, rounds), await tokenMillis(server, 2, rounds)];
  const [token_ms_alone, token_ms_of_two] = [median(alone) ?? NaN, median(two) ?? NaN];
  const hop_ms = (token_ms_of_two - token_ms_alone) / HOPS;
  tell(
    `a token takes ${token_ms_alone.toFixed(2)} ms alone and ${token_ms_of_two.toFixed(2)} ms on two phones`,
  );
  return { hop_ms, token_ms_alone, token_ms_of_two, parts: await hopParts(server) };
}

/** A token's milliseconds in several answers of one room. */
function tokenMillis(server: Server, count: number, rounds: number): Promise<number[]> {
  return inRoom(server, count, false, async ([first]) => {
    const times: number[] = [];
    for (let round = 0; round <= ANSWERS * rounds; round += 1) {
      const { tokens, decodeSecs } = await answerOn(first, PROMPT, TOKENS);
      if (round > 0) times.push((1000 * decodeSecs) / (tokens.length - 1));
    }
    return times;
  });
}

async function hopParts(server: Server): Promise<HopParts> {
  const [alone, two] = [await spentOn(server, 1), await spentOn(server, 2)];
  const more = (part: keyof Spent): number => (two[part] - alone[part]) / HOPS;
  const [upload_ms, framing_ms] = [more("calls"), more("framing")];
  // The second phone's result is read back, too; what the kernels take is in both rooms.
  const read_back_ms = Math.min(two.readBack / HOPS, Math.max(more("waits"), 0));
  const channel_ms = more("token") - upload_ms - read_back_ms - framing_ms;
  return { upload_ms, read_back_ms, framing_ms, channel_ms };
}

/** Milliseconds of a token, of all phones together. */
interface Spent {
  token: number;
  calls: number;
  waits: number;
  framing: number;
  /** Of one reading. */
  readBack: number;
}

function spentOn(server: Server, count: number): Promise<Spent> {
  return inRoom(server, count, true, async (phones) => {
    const [first] = phones;
    await answerOn(first, PROMPT, TOKENS);
    const few = await watched(phones, FEW_TOKENS);
    const many = await watched(phones, FEW_TOKENS + TOKENS);
    const perToken = (part: keyof Omit<Spent, "readBack">): number => (many[part] - few[part]) / TOKENS;
    return {
      token: perToken("token"),
      calls: perToken("calls"),
      waits: perToken("waits"),
      framing: perToken("framing"),
      readBack: await gpuReadBackMs(first.page),
    };
  });
}

async function watched(phones: Phones, tokens: number): Promise<Omit<Spent, "readBack">> {
  const before = await Promise.all(phones.map(clocks));
  const { decodeSecs } = await answerOn(phones[0], PROMPT, tokens);
  const after = await Promise.all(phones.map(clocks));
  const all = (part: "calls" | "waits" | "framing"): number =>
    after.reduce((sum, one, at) => sum + one[part] - (before[at]?.[part] ?? 0), 0);
  return { token: 1000 * decodeSecs, calls: all("calls"), waits: all("waits"), framing: all("framing") };
}

async function clocks({ page }: Phone): Promise<{ calls: number; waits: number; framing: number }> {
  const [gpu, own] = [await gpuMillis(page), await engineSpans(page)];
  const methods = Object.keys(gpu) as (keyof GpuMillis)[];
  const all = methods.reduce((sum, method) => sum + gpu[method], 0);
  const framing = (own.sending ?? 0) + (own.receiving ?? 0);
  return { calls: all - gpu.mapAsync, waits: gpu.mapAsync, framing };
}

type Phones = [Phone, ...Phone[]];

async function inRoom<T>(
  server: Server,
  count: number,
  hasClocks: boolean,
  act: (phones: Phones) => Promise<T>,
): Promise<T> {
  const phones: Phone[] = [];
  try {
    for (const descriptor of DESCRIPTORS.slice(0, count)) phones.push(await launchChromium(descriptor));
    if (hasClocks) await Promise.all(phones.map((phone) => phone.watchGpu()));
    const query = { model: bundled().url, pledge: `share:1.3:${count}`, wire: "f32" as const };
    await gather(server, phones, { query });
    await prepare(phones);
    return await act(phones as Phones);
  } finally {
    await Promise.allSettled(phones.map((phone) => phone.close()));
  }
}

/** Hidden states to the second phone, and the token back. */
const HOPS = 2;
const ANSWERS = 3;
const PROMPT = "Once upon a time there was a little dog";
const FEW_TOKENS = 8;
const TOKENS = 64;
