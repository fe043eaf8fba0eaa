import { expect, test } from "@playwright/test";
import type { TestCase, TestResult } from "@playwright/test/reporter";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import SkipReporter from "../../src/skip-reporter.ts";

test("what was skipped is told with its reasons", () => {
  const folder = mkdtempSync(join(tmpdir(), "skips-"));
  const before = process.env["LINGUALINKED_SKIPS"];
  const file = join(folder, "skips.json");
  process.env["LINGUALINKED_SKIPS"] = file;
  const said: string[] = [];
  const print = console.log;
  console.log = (line: string) => said.push(line);
  try {
    const reporter = new SkipReporter();
    const end = (project: string, status: TestResult["status"], reason?: string): void => {
      const annotations = reason === undefined ? [] : [{ type: "skip", description: reason }];
      const parent = { project: () => ({ name: project }) };
      reporter.onTestEnd({ parent, annotations } as TestCase, { status } as TestResult);
    };
    end("rooms", "passed");
    end("rooms", "failed");
    end("android", "skipped", "no phone");
    end("android", "skipped", "no phone");
    end("rooms", "skipped");
    reporter.onEnd();
    expect(said).toEqual(["skipped 2 of android: no phone", "skipped 1 of rooms: no reason given"]);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      ran: 2,
      skipped: [
        { project: "android", reason: "no phone", count: 2 },
        { project: "rooms", reason: "no reason given", count: 1 },
      ],
    });
  } finally {
    console.log = print;
    if (before === undefined) delete process.env["LINGUALINKED_SKIPS"];
    else process.env["LINGUALINKED_SKIPS"] = before;
    rmSync(folder, { recursive: true });
  }
});
