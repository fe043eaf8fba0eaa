import { expect, test } from "@playwright/test";

import type { Answer, Contender, Running } from "../../src/bench/contender.ts";
import { runRounds } from "../../src/bench/rounds.ts";

/** So many tokens of the same kind, at a hundred a second. */
function answer(token: number, tokens: number): Promise<Answer> {
  return Promise.resolve({ tokens: Array(tokens).fill(token), ttftSecs: 1, decodeSecs: (tokens - 1) / 100 });
}

interface Scripted {
  engine: Contender["engine"];
  token?: number;
  /** Prompts of so many characters fail. */
  fails?: number;
  opens?: boolean;
}

/** An engine without a browser, and how often it was opened and asked. */
function scripted({ engine, token = 7, fails, opens = true }: Scripted): Contender & { asked: number[] } {
  const asked: number[] = [];
  const open = async (): Promise<Running> => {
    asked.push(0);
    if (!opens) throw new Error("it does not start\nand says much more");
    const running = {
      loadSecs: 2,
      answer: (prompt: string, tokens: number) => {
        asked.push(prompt.length);
        return prompt.length === fails ? Promise.reject(new Error("too long")) : answer(token, tokens);
      },
    };
    return running as Running;
  };
  return { engine, backend: "WebGPU", precision: "F32", decodedTokens: 4, wasm: [], open, asked };
}

const quiet = { limitSecs: 60, tell: (): void => {} };

test("every contender has its turn in every round, in turned order", async () => {
  const contenders = [scripted({ engine: "LinguaLinked" }), scripted({ engine: "wllama" })];
  const samples = await runRounds(contenders, { ...quiet, rounds: 2 });
  expect(samples.map(({ contender, round }) => [contender.engine, round])).toEqual([
    ["LinguaLinked", 1],
    ["wllama", 1],
    ["wllama", 2],
    ["LinguaLinked", 2],
  ]);
  expect(samples[0]?.values).toEqual({
    load_secs: 2,
    prefill_128: 128,
    decode_128: 100,
    prefill_1024: 1024,
    decode_1024: 100,
  });
});

test("what failed says so, and is not tried again", async () => {
  const broken = scripted({ engine: "wllama", opens: false });
  const short = scripted({ engine: "LinguaLinked", fails: 1024 });
  const samples = await runRounds([broken, short], { ...quiet, rounds: 2 });
  expect(samples.map(({ failures }) => failures)).toEqual([
    { load: "it does not start" },
    { long: "too long" },
    {},
  ]);
  expect(broken.asked).toEqual([0]);
  expect(short.asked).toEqual([0, 12, 128, 1024, 0, 12, 128]);
});

test("engines that do not compute the same model end the bench", async () => {
  const contenders = [scripted({ engine: "LinguaLinked" }), scripted({ engine: "wllama", token: 8 })];
  const running = runRounds(contenders, { ...quiet, rounds: 1 });
  await expect(running).rejects.toThrow(
    /^wllama F32 on WebGPU answers 8,.* where LinguaLinked F32 on WebGPU/,
  );
});

test("a round that there is no time for does not begin", async () => {
  const told: string[] = [];
  const tell = (line: string): void => void told.push(line);
  const contenders = [scripted({ engine: "LinguaLinked" })];
  const samples = await runRounds(contenders, { rounds: 3, limitSecs: 0, tell });
  expect(samples.length).toBeLessThan(3);
  expect(told.at(-1)).toMatch(/^no time for round \d of 3$/);
});
