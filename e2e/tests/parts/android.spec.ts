import { test as base, expect } from "@playwright/test";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Adb } from "../../src/adb.ts";
import { AndroidSeats, androidOptions, type AndroidOptions } from "../../src/android.ts";
import { bootEmulator, listAvds } from "../../src/emulator.ts";
import { onPath } from "../../src/settings.ts";
import { withSite } from "./site.ts";
import { ScriptedAdb, type ScriptedPhone } from "./scripted-adb.ts";
import { PhoneWithChrome } from "./scripted-chrome.ts";

const program = onPath(["adb"], process.env["PATH"]) ?? "";

const test = base.extend<{ scripted: ScriptedAdb; adb: Adb; folder: string }>({
  scripted: async ({}, use) => {
    test.skip(program === "", "adb is not installed");
    const version = /version 1\.0\.(\d+)/.exec(execFileSync(program, ["version"]).toString())?.[1];
    const scripted = await ScriptedAdb.start(Number(version));
    await use(scripted);
    scripted.stop();
  },
  adb: async ({ scripted }, use) => use(new Adb(program, scripted.port)),
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), "android-"));
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
});

function asking(adb: Adb | null, more: Partial<AndroidOptions> = {}): AndroidOptions {
  return { adb, emulator: undefined, wanted: [], mayBoot: false, ...more };
}

function plainPhone(state: ScriptedPhone["state"] = "device"): ScriptedPhone {
  const answers: Record<string, string> = {
    "getprop sys.boot_completed": "1\n",
    "pm path com.android.chrome || true": "package:/base.apk\n",
  };
  return { state, shell: (command) => answers[command] ?? "" };
}

test("the real adb is started and lists what there is", async () => {
  test.skip(program === "", "adb is not installed");
  const adb = new Adb(program, await freePort());
  const seats = await AndroidSeats.find(asking(adb));
  const devices = await adb.devices();
  const usable = devices.filter(({ state }) => state === "device").map(({ serial }) => serial);
  expect(seats.serials).toEqual(usable);
  if (devices.length === 0) expect(seats.reason).toBe("adb lists no device");
  // It was started for this, so it goes with it.
  await seats.close();
  expect(await adb.startServer()).toBe(true);
  expect(await adb.startServer()).toBe(false);
  await adb.stopServer();
});

test("two that start the real adb in the same moment both have it", async () => {
  test.skip(program === "", "adb is not installed");
  const adb = new Adb(program, await freePort());
  const started = await Promise.all([adb.startServer(), adb.startServer()]);
  expect(started).toContain(true);
  expect(await adb.devices()).toEqual(expect.any(Array));
  await adb.stopServer();
});

test("without a phone there is a reason", async ({ scripted, adb }) => {
  expect((await AndroidSeats.find(asking(null))).reason).toBe("adb is not installed");
  expect((await AndroidSeats.find(asking(adb))).reason).toBe("adb lists no device");
  scripted.phones.set("R1", plainPhone("unauthorized"));
  const seats = await AndroidSeats.find(asking(adb));
  expect(seats.serials).toEqual([]);
  expect(seats.reason).toBe("adb lists no usable device: R1 is unauthorized");
});

test("a phone that was asked for by name must be there", async ({ scripted, adb }) => {
  scripted.phones.set("R1", plainPhone("offline"));
  await expect(AndroidSeats.find(asking(adb, { wanted: ["R2"] }))).rejects.toThrow(
    "adb lists R1, but not R2",
  );
  await expect(AndroidSeats.find(asking(adb, { wanted: ["R1"] }))).rejects.toThrow("R1 is offline");
  const wanted = ["avd:Pixel"];
  await expect(AndroidSeats.find(asking(adb, { wanted }))).rejects.toThrow("no Android SDK");
});

test("a phone without Chrome is told", async ({ scripted, adb }) => {
  scripted.phones.set("R1", {
    ...plainPhone(),
    shell: (command) => (command.startsWith("getprop") ? "1" : ""),
  });
  await expect(AndroidSeats.find(asking(adb))).rejects.toThrow("R1 has no Chrome");
});

test("the environment names the phones", () => {
  const from = (LINGUALINKED_ANDROID?: string): AndroidOptions =>
    androidOptions({ ...(LINGUALINKED_ANDROID === undefined ? {} : { LINGUALINKED_ANDROID }) });
  expect(from()).toMatchObject({ wanted: [], mayBoot: false });
  expect(from("")).toMatchObject({ wanted: [], mayBoot: true });
  expect(from("R1,avd:Pixel").wanted).toEqual(["R1", "avd:Pixel"]);
});

test("an emulator is booted, on a port that is free, and stopped", async ({ scripted, adb, folder }) => {
  scripted.phones.set("emulator-5554", plainPhone());
  const log = join(folder, "log");
  const emulator = script(
    folder,
    `echo "$@" >> ${log}; case "$1" in -list-avds) echo Pixel;; *) exec sleep 60;; esac`,
  );
  expect(await listAvds(emulator)).toEqual(["Pixel"]);
  let asked = 0;
  const shell = (): string => (++asked < 3 ? "\n" : "1\n");
  const listings = (): number => scripted.asked.filter((service) => service === "host:devices").length;
  const booting = bootEmulator(emulator, "Pixel", adb, 30_000);
  await expect.poll(listings).toBeGreaterThan(1);
  scripted.phones.set("emulator-5556", { state: "offline", shell });
  await expect.poll(listings).toBeGreaterThan(3);
  expect(asked).toBe(0);
  scripted.phones.set("emulator-5556", { state: "device", shell });
  const running = await booting;
  expect(running.serial).toBe("emulator-5556");
  expect(asked).toBe(3);
  const lines = execFileSync("cat", [log]).toString().split("\n");
  expect(lines[1]).toContain("-avd Pixel -port 5556 -no-window");
  running.stop();
});

test("an emulator that ends or never boots is an error", async ({ adb, folder }) => {
  const ends = bootEmulator(script(folder, "exit 3"), "Pixel", adb, 30_000);
  await expect(ends).rejects.toThrow("the emulator Pixel does not run: it ended (3)");
  const hangs = bootEmulator(script(folder, "exec sleep 60"), "Pixel", adb, 1500);
  await expect(hangs).rejects.toThrow("Pixel: booted as emulator-5554: not within");
});

test("where nothing is plugged in, an emulator is booted only if that was asked for", async ({
  scripted,
  adb,
  folder,
}) => {
  const emulator = script(folder, `case "$1" in -list-avds) echo Pixel;; *) exec sleep 60;; esac`);
  expect((await AndroidSeats.find(asking(adb, { emulator }))).serials).toEqual([]);
  const finding = AndroidSeats.find(asking(adb, { emulator, mayBoot: true }));
  await expect.poll(() => scripted.asked.length).toBeGreaterThan(4);
  scripted.phones.set("emulator-5554", plainPhone());
  const seats = await finding;
  expect(seats.serials).toEqual(["emulator-5554"]);
  await seats.close();
});

test("Chrome is started with its flags, and reaches this machine as its own localhost", async ({
  scripted,
  adb,
}) => {
  const phone = new PhoneWithChrome();
  scripted.phones.set("R1", phone);
  const seats = await AndroidSeats.find(asking(adb));
  expect(seats.serials).toEqual(["R1"]);
  try {
    await withSite({ "index.html": "<!doctype html><title>On the phone</title>" }, async (server) => {
      const chrome = await seats.launch("R1", server.port);
      expect(chrome.name).toBe("Scripted Phone (R1)");
      await chrome.open(server.url);
      expect(await chrome.page.title()).toBe("On the phone");
      const hasAdapter = chrome.page.evaluate(
        // The DOM's types have no WebGPU yet.
        () =>
          (navigator as unknown as { gpu: { requestAdapter(): Promise<unknown> } }).gpu
            .requestAdapter()
            .then(Boolean),
      );
      expect(await hasAdapter).toBe(true);
      const reversed = scripted.asked.indexOf(`R1 reverse:forward:tcp:${server.port};tcp:${server.port}`);
      const started = scripted.asked.findIndex((service) => service.startsWith("R1 shell:am start"));
      expect(reversed).toBeGreaterThan(-1);
      expect(started).toBeGreaterThan(reversed);
      expect(phone.flags).toContain("--enable-unsafe-webgpu");
      await chrome.close();
      expect(scripted.asked).toContain(`R1 reverse:killforward:tcp:${server.port}`);
    });
  } finally {
    await phone.stop();
  }
});

function script(folder: string, body: string): string {
  const file = join(folder, `emulator-${body.length}`);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
