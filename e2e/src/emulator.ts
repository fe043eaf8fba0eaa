import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import type { Adb } from "./adb.ts";
import { onPath } from "./settings.ts";
import { until } from "./waiting.ts";

const run = promisify(execFile);

/** Without hardware virtualisation an emulator boots in minutes. */
const BOOT_LIMIT_MS = 600_000;
const BOOT_PAUSE_MS = 1000;
const LIST_LIMIT_MS = 30_000;

/** Emulators take an even port from 5554 on, and name themselves by it. */
const FIRST_PORT = 5554;
const LAST_PORT = 5584;

export interface RunningEmulator {
  serial: string;
  stop: () => void;
}

/** The emulator program of an Android SDK. */
export function findEmulator(from: NodeJS.ProcessEnv = process.env): string | undefined {
  const sdks = [from["ANDROID_HOME"], from["ANDROID_SDK_ROOT"]].filter((sdk) => sdk !== undefined);
  const installed = sdks.map((sdk) => join(sdk, "emulator", "emulator")).find((file) => existsSync(file));
  return installed ?? onPath(["emulator"], from["PATH"]);
}

/** Names of the virtual phones that it can boot. */
export async function listAvds(emulator: string): Promise<string[]> {
  const { stdout } = await run(emulator, ["-list-avds"], { timeout: LIST_LIMIT_MS });
  // Some versions print notices between the names.
  return stdout
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^[\w.-]+$/.test(line));
}

/** Starts a virtual phone and waits until Android says that it has booted. */
export async function bootEmulator(
  emulator: string,
  avd: string,
  adb: Adb,
  limitMs = BOOT_LIMIT_MS,
): Promise<RunningEmulator> {
  const port = await freePort(adb);
  const child = spawn(emulator, ["-avd", avd, "-port", String(port), ...EMULATOR_FLAGS], { stdio: "ignore" });
  const kill = (): void => void child.kill("SIGTERM");
  let failure: string | null = null;
  child.once("error", (cause) => (failure = cause.message));
  child.once("exit", (code, signal) => (failure = `it ended (${signal ?? code})`));
  process.once("exit", kill);
  const serial = `emulator-${port}`;
  try {
    await until(
      limitMs,
      `${avd}: booted as ${serial}`,
      async () => {
        if (failure !== null) throw new Error(`the emulator ${avd} does not run: ${failure}`);
        return (await hasBooted(adb, serial)) || undefined;
      },
      BOOT_PAUSE_MS,
    );
  } catch (cause) {
    kill();
    throw cause;
  }
  return { serial, stop: kill };
}

export async function hasBooted(adb: Adb, serial: string): Promise<boolean> {
  const isListed = (await adb.devices()).some((one) => one.serial === serial && one.state === "device");
  return isListed && (await adb.shell(serial, "getprop sys.boot_completed")) === "1";
}

async function freePort(adb: Adb): Promise<number> {
  const taken = (await adb.devices()).map(({ serial }) => serial);
  for (let port = FIRST_PORT; port <= LAST_PORT; port += 2) {
    if (!taken.includes(`emulator-${port}`)) return port;
  }
  throw new Error("as many emulators run as there can be; stop one");
}

const EMULATOR_FLAGS = ["-no-window", "-no-audio", "-no-boot-anim", "-no-snapshot-save"];
