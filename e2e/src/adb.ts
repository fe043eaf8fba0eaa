import { execFile } from "node:child_process";
import { createConnection } from "node:net";
import { promisify } from "node:util";

import { onPath } from "./settings.ts";

const run = promisify(execFile);

const COMMAND_LIMIT_MS = 60_000;

/** A device as adb lists it. */
export interface AdbDevice {
  serial: string;
  /** `device` when it may be used; else `offline`, `unauthorized` and the like. */
  state: string;
}

/** The adb program, and the server of its kind that it talks to. */
export class Adb {
  constructor(
    private readonly program: string,
    /** Where its server listens on this machine. */
    readonly port: number,
  ) {}

  /** The one on the search path; null where there is none. */
  static find(from: NodeJS.ProcessEnv = process.env): Adb | null {
    const program = onPath(["adb"], from["PATH"]);
    return program === undefined ? null : new Adb(program, Number(from["ANDROID_ADB_SERVER_PORT"] || 5037));
  }

  /** Whether it had to be started. */
  async startServer(): Promise<boolean> {
    if (await answers(this.port)) return false;
    try {
      await this.#run("start-server");
      return true;
    } catch (cause) {
      // Of two that start it in the same moment, one finds the port taken.
      if (await answers(this.port)) return false;
      throw cause;
    }
  }

  async stopServer(): Promise<void> {
    await this.#run("kill-server");
  }

  async devices(): Promise<AdbDevice[]> {
    const lines = (await this.#run("devices")).split("\n").slice(1);
    return lines.flatMap((line) => {
      const [serial, state] = line.trim().split("\t");
      return serial && state ? [{ serial, state }] : [];
    });
  }

  /** What a command on the device prints. */
  async shell(serial: string, command: string): Promise<string> {
    return (await this.#run("-s", serial, "shell", command)).trim();
  }

  /** Makes a port of the device's localhost this machine's, so that the page's address counts as secure there. */
  async reverse(serial: string, port: number): Promise<void> {
    await this.#run("-s", serial, "reverse", `tcp:${port}`, `tcp:${port}`);
  }

  async endReverse(serial: string, port: number): Promise<void> {
    await this.#run("-s", serial, "reverse", "--remove", `tcp:${port}`);
  }

  async #run(...args: string[]): Promise<string> {
    const env = { ...process.env, ANDROID_ADB_SERVER_PORT: String(this.port) };
    try {
      return (await run(this.program, args, { env, timeout: COMMAND_LIMIT_MS })).stdout;
    } catch (cause) {
      const { stderr, message } = cause as Error & { stderr?: string };
      throw new Error(`adb ${args.join(" ")}: ${stderr?.trim() || message}`, { cause });
    }
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    const settle = (isThere: boolean) => (): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", settle(true)).once("error", settle(false));
    socket.setTimeout(COMMAND_LIMIT_MS, settle(false));
  });
}
