import type { AskOptions } from "../../engine/messages.ts";
import type { Query } from "../../query.ts";

/** What the person may set about answers. */
export interface Sampling {
  style: Style;
  /** Of the address, in place of the style's; null once a style is chosen. */
  temperature: number | null;
  maxTokens: number;
  /** Null draws a new one for every question. */
  seed: number | null;
}

export type Style = keyof typeof STYLES;

/** From keeping to the likeliest words to surprising ones that are not absurd. */
const STYLES = {
  precise: { temperature: 0.2, topK: 40, topP: 0.9 },
  balanced: { temperature: 0.7, topK: 40, topP: 0.95 },
  playful: { temperature: 1.1, topK: 0, topP: 1, minP: 0.05, repetitionPenalty: 1.1 },
} satisfies Record<string, Partial<AskOptions>>;

export const STYLE_NAMES: [Style, string][] = [
  ["precise", "Precise"],
  ["balanced", "Balanced"],
  ["playful", "Playful"],
];

export function samplingFrom(query: Pick<Query, "temperature" | "seed" | "maxTokens">): Sampling {
  return {
    style: "balanced",
    temperature: query.temperature === null ? null : Math.min(2, query.temperature),
    maxTokens: Math.max(1, Math.round(query.maxTokens ?? 128)),
    seed: query.seed,
  };
}

export function askOptions({ style, temperature, maxTokens, seed }: Sampling, draw = drawSeed): AskOptions {
  const how = STYLES[style];
  return { ...how, temperature: temperature ?? how.temperature, seed: seed ?? draw(), maxTokens };
}

function drawSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}
