import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { bundledModel, settings } from "./settings.ts";

/** What the bundled model's reference implementation answers; greedy, with the end token if it came. */
export interface Golden {
  prompt: string;
  prompt_ids: number[];
  tokens: number[];
  text: string;
}

/** The bundled model: its file, its path on the server, and its golden answers. */
export function bundled(): {
  file: string;
  url: string;
  all: Golden[];
  golden: (prompt: string) => Golden;
} {
  const file = bundledModel(settings().models);
  const { end, greedy } = JSON.parse(readFileSync(join(dirname(file), "golden.json"), "utf8")) as {
    end: number;
    greedy: Golden[];
  };
  // An answer's tokens do not include the one that ends it.
  const all = greedy.map((one) => ({ ...one, tokens: one.tokens.filter((token) => token !== end) }));
  const golden = (prompt: string): Golden => {
    const found = all.find((one) => one.prompt === prompt);
    if (!found) throw new Error(`golden.json has no answer to ${JSON.stringify(prompt)}`);
    return found;
  };
  return { file, url: `/models/${basename(file)}`, all, golden };
}
