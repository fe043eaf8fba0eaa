import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@playwright/test";

import { launchChromium } from "../../src/chromium.ts";
import { settings } from "../../src/settings.ts";
import { withSite } from "./site.ts";

/** As many as there were when this was written; fewer would mean that some no longer run. */
const LEAST_CHECKS = 100;
/** Every kernel in every shape and weight type is compiled, on a processor where there is no graphics chip. */
const LIMIT_MS = 600_000;

interface Bindings {
  default(): Promise<unknown>;
  /** Lines of `passed` or the error, a tab, and the name. */
  checks(): Promise<string>;
}

test("every kernel agrees with its scalar reference on the browser's GPU", async () => {
  test.setTimeout(LIMIT_MS);
  const folder = settings().kernelChecks;
  const files = {
    "index.html": "<!doctype html><title>Kernels</title>",
    "checks.js": readFileSync(join(folder, "checks.js")),
    "checks_bg.wasm": readFileSync(join(folder, "checks_bg.wasm")),
  };
  await withSite(files, async (server) => {
    const phone = await launchChromium("Pixel 7");
    try {
      await phone.open(server.url);
      const lines = await phone.page.evaluate(async (url) => {
        const bindings = (await import(url)) as Bindings;
        await bindings.default();
        return bindings.checks();
      }, `${server.url}/checks.js`);
      const checks = lines.trim().split("\n");
      expect(checks.length).toBeGreaterThanOrEqual(LEAST_CHECKS);
      expect(checks.filter((line) => !line.startsWith("passed\t"))).toEqual([]);
      test.info().annotations.push({ type: "kernels", description: `${checks.length} checks, all passed` });
    } finally {
      await phone.close();
    }
  });
});
