import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { peersOf, readAccessLog, spansOf } from "../../src/access-log.ts";
import type { DemoOptions } from "../../src/demo-options.ts";
import type { DemoResult } from "../../src/demo-result.ts";
import { readGguf } from "../../src/gguf.ts";
import { bundled } from "../../src/golden.ts";
import { HERE } from "../../src/settings.ts";
import { outside } from "../../src/spans.ts";
import { frontSpan } from "../../src/stages.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const TOKENS = 8;
const DEMO_LIMIT_MS = 300_000;
/** Under which the demo's server offers its model. */
const MODEL = "/models/model.gguf";

test.beforeEach(({ seats }) => test.skip(seats === "android", "the demo's phones are all Chromium"));

test("the demo's last line says what two phones answered, and what it took", async () => {
  const golden = bundled().golden(PROMPT);
  const ended = await demo({ phones: 2, prompt: PROMPT, maxTokens: TOKENS });
  expect(ended.code, ended.stderr).toBe(0);
  const result = JSON.parse(ended.stdout.trimEnd().split("\n").at(-1) ?? "") as DemoResult;
  expect(result).toEqual({
    phones: 2,
    plan: [expect.anything(), expect.anything()],
    prompt_tokens: golden.prompt_ids.length,
    completion_tokens: TOKENS,
    text: expect.stringMatching(/\S/),
    ttft_secs: expect.any(Number),
    decode_tokens_per_sec: expect.any(Number),
    dispatches_per_token: expect.any(Number),
    activation_bytes_through_server: 0,
    matches_single_device: true,
  });
  expect(golden.text.startsWith(result.text), result.text).toBe(true);
  for (const figure of [result.ttft_secs, result.decode_tokens_per_sec, result.dispatches_per_token])
    expect(figure).toBeGreaterThan(0);
  const [first, second] = result.plan;
  for (const stage of result.plan) {
    expect(Object.keys(stage).sort()).toEqual(["end", "peer", "start", "weights_bytes"]);
    expect(stage.peer).toMatch(/^[0-9a-f]{8}$/);
    expect(stage.weights_bytes).toBeGreaterThan(0);
  }
  expect(first?.start).toBe(0);
  expect(second?.start).toBe(first?.end);
  expect(second?.end).toBeGreaterThan(second?.start ?? Infinity);
  expect(second?.peer).not.toBe(first?.peer);
});

test("the demo refuses a prompt that is too long before it loads anything", async () => {
  const folder = mkdtempSync(join(tmpdir(), "demo-"));
  try {
    const accessLog = join(folder, "access.jsonl");
    const ended = await demo({ phones: 2, prompt: "once upon a time ".repeat(1000), accessLog });
    expect(ended.code, ended.stderr).toBe(1);
    expect(ended.stdout).toBe("");
    const [, promptTokens, contextTokens] =
      /error: the prompt has (\d+) tokens, but the model reads at most (\d+)/.exec(ended.stderr) ?? [];
    expect(Number(contextTokens), ended.stderr).toBeGreaterThan(0);
    expect(Number(promptTokens)).toBeGreaterThan(Number(contextTokens));
    const { file } = bundled();
    const front = frontSpan(readGguf(file), statSync(file).size);
    const log = readAccessLog(accessLog);
    const peers = peersOf(log, MODEL);
    expect(peers).toHaveLength(1);
    expect(outside(spansOf(log, MODEL, peers[0] ?? ""), [front]), "bytes of weights").toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** The demo's driver, as `cargo xtask demo` starts it. */
function demo(options: Partial<DemoOptions>): Promise<Ended> {
  const how = { cwd: HERE, timeout: DEMO_LIMIT_MS };
  return new Promise((resolve) => {
    const driver = ["--import", "tsx", "src/demo.ts"];
    const child = execFile(process.execPath, driver, how, (failed, stdout, stderr) => {
      // A number for a program that ended by itself.
      const code = failed === null ? 0 : typeof failed.code === "number" ? failed.code : -1;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end(JSON.stringify(options));
  });
}
