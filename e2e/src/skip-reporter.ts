import { writeFileSync } from "node:fs";

import type { Reporter, TestCase, TestResult } from "@playwright/test/reporter";

/** What a run left out: in words at its end, and for `cargo xtask test` as JSON. */
export interface Skips {
  /** Tests that were not skipped. */
  ran: number;
  skipped: { project: string; reason: string; count: number }[];
}

/**
 * Says at the end what was left out and why, so that a skipped project is never taken for a passed one. Where
 * `LINGUALINKED_SKIPS` names a file, the same goes there.
 */
export default class SkipReporter implements Reporter {
  readonly #skips: Skips = { ran: 0, skipped: [] };

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status !== "skipped") {
      this.#skips.ran += 1;
      return;
    }
    const project = test.parent.project()?.name ?? "";
    const reason = test.annotations.find(({ type }) => type === "skip")?.description ?? "no reason given";
    const same = this.#skips.skipped.find((one) => one.project === project && one.reason === reason);
    if (same) same.count += 1;
    else this.#skips.skipped.push({ project, reason, count: 1 });
  }

  onEnd(): void {
    for (const { project, reason, count } of this.#skips.skipped)
      console.log(`skipped ${count} of ${project}: ${reason}`);
    const file = process.env["LINGUALINKED_SKIPS"];
    if (file) writeFileSync(file, JSON.stringify(this.#skips));
  }

  printsToStdio(): boolean {
    return false;
  }
}
