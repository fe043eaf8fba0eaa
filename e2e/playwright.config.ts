import { defineConfig } from "@playwright/test";

import type { RoomOptions } from "./tests/fixtures.ts";

const MINUTE_MS = 60_000;

export default defineConfig<object, RoomOptions>({
  outputDir: "test-results",
  // Rooms wait for time-outs and for each other as much as they compute; nothing here measures speed.
  workers: 2,
  forbidOnly: true,
  reporter: [["list"], ["./src/skip-reporter.ts"]],
  expect: { timeout: MINUTE_MS / 2 },
  projects: [
    /** What the tests themselves are made of, and the server; needs no built page. */
    { name: "parts", testDir: "tests/parts", timeout: 2 * MINUTE_MS },
    /** Whole rooms of Chromium phones. */
    { name: "rooms", testDir: "tests/rooms", timeout: 15 * MINUTE_MS },
    /** The same rooms, with Chrome for Android in the first seats: one at a time, as there is one set of phones. */
    {
      name: "android",
      testDir: "tests/rooms",
      timeout: 30 * MINUTE_MS,
      workers: 1,
      use: { seats: "android" },
    },
  ],
});
