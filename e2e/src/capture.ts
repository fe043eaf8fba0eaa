import type { Locator, Page, PageScreenshotOptions } from "playwright-core";

import { pause } from "./waiting.ts";

const ATTEMPTS = 5;
const PAUSE_MS = 500;

/** A picture of a page or a part of it. On a busy machine Chromium cannot take one now and then: it is asked again. */
export async function capture(what: Page | Locator, options: PageScreenshotOptions = {}): Promise<Buffer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await what.screenshot(options);
    } catch (cause) {
      if (attempt === ATTEMPTS || !String(cause).includes("Unable to capture screenshot")) throw cause;
      await pause(PAUSE_MS);
    }
  }
}
