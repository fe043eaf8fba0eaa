import type { AskOptions } from "../../engine/messages.ts";
import type { Query } from "../../query.ts";

/** What the person may set about answers. */
export interface Sampling {
  temperature: number;
  maxTokens: number;
  /** Null draws a new one for every question. */
  seed: number | null;
}

export function samplingFrom(query: Pick<Query, "temperature" | "seed" | "maxTokens">): Sampling {
  return {
    temperature: Math.min(2, query.temperature ?? 0.7),
    maxTokens: Math.max(1, Math.round(query.maxTokens ?? 128)),
    seed: query.seed,
  };
}

export function askOptions({ temperature, maxTokens, seed }: Sampling, draw = drawSeed): AskOptions {
  return { temperature, topK: 40, topP: 0.95, seed: seed ?? draw(), maxTokens };
}

function drawSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}
