import type { Reporter, TestCase, TestResult } from "@playwright/test/reporter";

/** Says at the end what was left out and why, so that a skipped project is never taken for a passed one. */
export default class SkipReporter implements Reporter {
  readonly #skipped = new Map<string, number>();

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status !== "skipped") return;
    const reason = test.annotations.find(({ type }) => type === "skip")?.description ?? "no reason given";
    const line = `${test.parent.project()?.name}: ${reason}`;
    this.#skipped.set(line, (this.#skipped.get(line) ?? 0) + 1);
  }

  onEnd(): void {
    for (const [line, count] of this.#skipped) console.log(`skipped ${count} of ${line}`);
  }

  printsToStdio(): boolean {
    return false;
  }
}
