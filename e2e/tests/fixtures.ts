import { test as base, expect } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { AndroidSeats } from "../src/android.ts";
import { DESCRIPTORS, launchChromium, type ChromiumOptions } from "../src/chromium.ts";
import type { Phone } from "../src/phone.ts";
import { Server } from "../src/server.ts";
import { settings } from "../src/settings.ts";

export interface RoomOptions {
  /** Who sits in the first seats; the others are Chromium. */
  seats: "chromium" | "android";
}

/** Chromium's options are not an Android phone's. */
interface PhoneWishes extends ChromiumOptions {
  watchGpu?: boolean;
}

/** Launches so many phones for one server; closed, and asked for uncaught errors, when the test ends. */
type Launch = (count: number, server: Server, wishes?: PhoneWishes) => Promise<Phone[]>;

interface RoomFixtures {
  /** A server of the test's own. */
  server: Server;
  launch: Launch;
  /** A path for a picture that is kept as test output. */
  picture: (name: string) => string;
  mayRun: void;
}

interface WorkerFixtures extends RoomOptions {
  android: AndroidSeats;
}

export const test = base.extend<RoomFixtures, WorkerFixtures>({
  seats: ["chromium", { option: true, scope: "worker" }],

  android: [
    async ({ seats }, use) => {
      const found = seats === "android" ? await AndroidSeats.find() : AndroidSeats.none("not asked for");
      await use(found);
      await found.close();
    },
    { scope: "worker", timeout: 900_000 },
  ],

  mayRun: [
    async ({ seats, android }, use, testInfo) => {
      testInfo.skip(seats === "android" && android.serials.length === 0, android.reason);
      await use();
    },
    { auto: true },
  ],

  server: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.stop();
  },

  launch: async ({ android, headless }, use, testInfo) => {
    const phones: Phone[] = [];
    await use(async (count, server, { watchGpu, ...wishes } = {}) => {
      const fresh: Phone[] = [];
      while (fresh.length < count) {
        const open = phones.filter((phone) => !phone.isClosed).map((phone) => phone.name);
        const serial = android.serials.find((one) => !open.some((name) => name.includes(one)));
        const look = DESCRIPTORS.find((one) => !open.includes(one)) ?? DESCRIPTORS[0];
        const phone =
          serial === undefined
            ? await launchChromium(look, { isHeaded: !headless, ...wishes })
            : await android.launch(serial, server.port);
        phones.push(phone);
        fresh.push(phone);
        if (watchGpu) await phone.watchGpu();
      }
      return fresh;
    });
    for (const phone of phones) {
      if (testInfo.status !== testInfo.expectedStatus && !phone.isClosed) await attach(phone, testInfo);
      await phone.close().catch(() => {});
      expect.soft(phone.uncaught, `${phone.name}: errors that nobody caught`).toEqual([]);
    }
  },

  picture: async ({}, use, testInfo) => {
    const folder = join(settings().output, testInfo.project.name);
    mkdirSync(folder, { recursive: true });
    await use((name) => join(folder, `${name}.png`));
  },
});

export { expect };

/** Of what a phone says when a test fails. */
const REPORTED_CHARS = 3000;

type TestInfo = Parameters<Parameters<typeof test>[2]>[1];

/** What one sees when a test fails: the screen, the room as the phone knows it, and what the console says. */
async function attach(phone: Phone, testInfo: TestInfo): Promise<void> {
  const shot = await phone.screenshot().catch(() => null);
  if (shot) await testInfo.attach(`${phone.name} screen`, { body: shot, contentType: "image/png" });
  const report = await phone.report().catch(() => null);
  if (report) {
    await testInfo.attach(`${phone.name} room`, { body: report, contentType: "text/plain" });
    // A reporter shows a few lines of that alone.
    console.log(`${phone.name}:\n${report.slice(0, REPORTED_CHARS)}`);
  }
  const notes = [...phone.uncaught, ...phone.complaints].join("\n");
  if (notes) await testInfo.attach(`${phone.name} console`, { body: notes, contentType: "text/plain" });
}
