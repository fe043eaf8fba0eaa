/** Chrome for Android as a phone: found or booted through adb, driven by Playwright. */

import { _android, type AndroidDevice } from "playwright-core";

import { Adb } from "./adb.ts";
import { GPU_FLAGS } from "./chromium.ts";
import { bootEmulator, findEmulator, hasBooted, listAvds, type RunningEmulator } from "./emulator.ts";
import { Phone } from "./phone.ts";
import { until } from "./waiting.ts";

const CHROME = "com.android.chrome";
const READY_LIMIT_MS = 120_000;
const LAUNCH_LIMIT_MS = 120_000;

export interface AndroidOptions {
  adb: Adb | null;
  emulator: string | undefined;
  /** Serials, or `avd:NAME`. Empty: whatever is plugged in. */
  wanted: string[];
  /** Whether a virtual phone may be booted where nothing is plugged in. */
  mayBoot: boolean;
}

/** What the environment asks for: `LINGUALINKED_ANDROID` that is set but empty may boot an emulator. */
export function androidOptions(from: NodeJS.ProcessEnv = process.env): AndroidOptions {
  const asked = from["LINGUALINKED_ANDROID"];
  const wanted = (asked ?? "").split(",").filter(Boolean);
  return { adb: Adb.find(from), emulator: findEmulator(from), wanted, mayBoot: asked !== undefined };
}

/** The Android phones of a test run. */
export class AndroidSeats {
  private constructor(
    readonly serials: string[],
    /** Why there are none. */
    readonly reason: string,
    private readonly adb: Adb | null,
    /** Ends what was started for them. */
    readonly close: () => Promise<void>,
  ) {}

  static none(reason: string): AndroidSeats {
    return new AndroidSeats([], reason, null, () => Promise.resolve());
  }

  /** Finds them, boots them and makes them ready. A phone that was asked for by name and is not there is an error. */
  static async find(options: AndroidOptions = androidOptions()): Promise<AndroidSeats> {
    const { adb } = options;
    if (!adb) return AndroidSeats.none("adb is not installed");
    const isOurs = await adb.startServer();
    const booted: RunningEmulator[] = [];
    const close = async (): Promise<void> => {
      for (const emulator of booted) emulator.stop();
      if (isOurs) await adb.stopServer();
    };
    try {
      const serials = await collect(adb, options, booted);
      for (const serial of serials) await makeReady(adb, serial);
      return new AndroidSeats(serials, await reasonFor(adb, serials), adb, close);
    } catch (cause) {
      await close();
      throw cause;
    }
  }

  /** Opens Chrome on that phone; this machine's `port` is then the phone's too. */
  async launch(serial: string, port: number): Promise<Phone> {
    const { adb } = this;
    if (!adb) throw new Error(this.reason);
    await adb.reverse(serial, port);
    const device = await this.#device(adb, serial);
    // Playwright writes the flags to the phone's /data/local/tmp/chrome-command-line and starts Chrome anew.
    const context = await device.launchBrowser({ pkg: CHROME, args: GPU_FLAGS, permissions: ["camera"] });
    const page = context.pages()[0] ?? (await context.newPage());
    return new Phone(`${device.model()} (${serial})`, page, async () => {
      await context.close();
      await device.close();
      await adb.endReverse(serial, port);
    });
  }

  async #device(adb: Adb, serial: string): Promise<AndroidDevice> {
    // The driver apps are for touching other apps than the browser.
    const devices = await _android.devices({ port: adb.port, omitDriverInstall: true });
    const device = devices.find((one) => one.serial() === serial);
    if (!device) throw new Error(`adb no longer lists ${serial}`);
    device.setDefaultTimeout(LAUNCH_LIMIT_MS);
    return device;
  }
}

async function collect(adb: Adb, options: AndroidOptions, booted: RunningEmulator[]): Promise<string[]> {
  const boot = async (avd: string): Promise<string> => {
    if (options.emulator === undefined) {
      throw new Error(`${avd} cannot be booted: no Android SDK with an emulator was found (ANDROID_HOME)`);
    }
    const emulator = await bootEmulator(options.emulator, avd, adb);
    booted.push(emulator);
    return emulator.serial;
  };
  if (options.wanted.length > 0) {
    const serials: string[] = [];
    for (const name of options.wanted) {
      serials.push(name.startsWith(AVD) ? await boot(name.slice(AVD.length)) : await listed(adb, name));
    }
    return serials;
  }
  const attached = (await adb.devices())
    .filter(({ state }) => state === "device")
    .map(({ serial }) => serial);
  if (attached.length > 0 || !options.mayBoot || options.emulator === undefined) return attached;
  const [avd] = await listAvds(options.emulator);
  return avd === undefined ? [] : [await boot(avd)];
}

async function listed(adb: Adb, serial: string): Promise<string> {
  const devices = await adb.devices();
  const device = devices.find((one) => one.serial === serial);
  if (!device) {
    const names = devices.map((one) => one.serial).join(", ") || "nothing";
    throw new Error(`adb lists ${names}, but not ${serial}`);
  }
  if (device.state !== "device") throw new Error(`${serial} is ${device.state}; look at its screen`);
  return serial;
}

/** Awake, unlocked as far as adb may, and with a Chrome that reads the flags. */
async function makeReady(adb: Adb, serial: string): Promise<void> {
  const booted = async (): Promise<true | undefined> => (await hasBooted(adb, serial)) || undefined;
  await until(READY_LIMIT_MS, `${serial}: booted`, booted, 500);
  const chrome = await adb.shell(serial, `pm path ${CHROME} || true`);
  if (!chrome.startsWith("package:")) throw new Error(`${serial} has no Chrome; install it from its store`);
  await adb.shell(serial, "input keyevent KEYCODE_WAKEUP");
  await adb.shell(serial, "wm dismiss-keyguard");
  // Release builds of Chrome read their flags' file only when they are the app to debug.
  await adb.shell(serial, `am set-debug-app --persistent ${CHROME}`);
}

async function reasonFor(adb: Adb, serials: string[]): Promise<string> {
  if (serials.length > 0) return "";
  const others = (await adb.devices()).map(({ serial, state }) => `${serial} is ${state}`);
  return others.length > 0 ? `adb lists no usable device: ${others.join(", ")}` : "adb lists no device";
}

const AVD = "avd:";
