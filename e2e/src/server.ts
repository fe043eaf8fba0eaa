import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { ask } from "./ask.ts";
import { readAccessLog, type Access } from "./access-log.ts";
import { settings } from "./settings.ts";
import { LateError, until, within } from "./waiting.ts";

const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 10_000;

/** What `GET /api/stats` counts. */
export interface ServerStats {
  rooms: number;
  peers: number;
  signaling_bytes: number;
  /** Payload of every binary message that was passed on. */
  relayed_bytes: number;
  /** What TURN passed on, but for the checks of ways that browsers make everywhere. */
  turn_bytes: number;
}

export interface ServerOptions {
  program?: string;
  app?: string;
  models?: string[];
  /** Where it listens; by default the loopback address. */
  host?: string;
  /** By default one that the system chooses. */
  port?: number;
  /** Whether it speaks HTTPS, with a certificate made for this run. */
  hasTls?: boolean;
  /** Where it keeps the certificate; by default a folder that goes with it. */
  state?: string;
  /** Where it notes its answers; by default a file that goes with it. */
  accessLog?: string | undefined;
  /** More of the program's own options. */
  args?: string[];
}

/** The real signaling server as a child process. */
export class Server {
  private constructor(
    /** Origin without a slash at its end. */
    readonly url: string,
    private readonly accessLogFile: string,
    private readonly end: (signal: NodeJS.Signals) => Promise<void>,
  ) {}

  static async start(options: ServerOptions = {}): Promise<Server> {
    const program = options.program ?? settings().server;
    const served = { app: options.app ?? settings().app, models: options.models ?? settings().models };
    const folder = mkdtempSync(join(tmpdir(), "lingualinked-server-"));
    const log = options.accessLog ?? join(folder, "access.jsonl");
    const args = [...commandLine(served, log), ...listening(options, folder), ...(options.args ?? [])];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const kill = (): void => void child.kill("SIGKILL");
    process.once("exit", kill);
    const end = async (signal: NodeJS.Signals): Promise<void> => {
      process.off("exit", kill);
      await stop(child, signal);
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      const healthy = announced(child).then(isHealthy);
      const url = await within(
        START_LIMIT_MS,
        "the server's start",
        Promise.race([healthy, tooEarlyEnd(child)]),
      );
      return new Server(url, log, end);
    } catch (cause) {
      await end("SIGTERM");
      throw cause;
    }
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async stats(): Promise<ServerStats> {
    return (await getJson(`${this.url}/api/stats`)) as ServerStats;
  }

  /** Paths of the served models, in the server's order. */
  async models(): Promise<string[]> {
    const models = (await getJson(`${this.url}/api/models`)) as { url: string }[];
    return models.map((model) => model.url);
  }

  /** Every answer so far. An answer is noted when its last byte has been taken. */
  accessLog(): Access[] {
    return readAccessLog(this.accessLogFile);
  }

  stop(): Promise<void> {
    return this.end("SIGTERM");
  }

  /** Ends it without a word to anybody. */
  kill(): Promise<void> {
    return this.end("SIGKILL");
  }
}

function commandLine({ app, models }: { app: string; models: string[] }, log: string): string[] {
  const folders = models.flatMap((folder) => ["--models", folder]);
  return ["--app", app, "--access-log", log, ...folders];
}

function listening(options: ServerOptions, folder: string): string[] {
  const { host = "127.0.0.1", port = 0, hasTls, state = folder } = options;
  return ["--listen", `${host}:${port}`, ...(hasTls ? ["--tls", "--state", state] : [])];
}

/** The address that the server prints. */
function announced(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    if (!child.stdout) return;
    // Read to its end, so that the server never waits for us.
    createInterface({ input: child.stdout }).on("line", (line) => {
      const address = /^listening on (\S+?)\/?$/.exec(line)?.[1];
      if (address) resolve(address);
    });
  });
}

/** Never resolves; an error with the server's own words when it ends. */
function tooEarlyEnd(child: ChildProcess): Promise<never> {
  const errors: string[] = [];
  child.stderr?.on("data", (data: Buffer) => {
    if (errors.length < 100) errors.push(data.toString());
  });
  const end = new Promise<never>((_, reject) => {
    child.once("error", (cause) => reject(new Error(`the server cannot be started: ${cause.message}`)));
    child.once("close", (code, signal) => {
      reject(new Error(`the server ended (${signal ?? code}): ${errors.join("").trim()}`));
    });
  });
  // It also ends when it is stopped, and then nobody listens any more.
  end.catch(() => {});
  return end;
}

/** The address again, once it answers. A server that ends before it does is the other side's to tell. */
async function isHealthy(url: string): Promise<string> {
  const answer = await until(START_LIMIT_MS, `${url}/healthz`, () =>
    ask(`${url}/healthz`, START_LIMIT_MS).catch(() => undefined),
  );
  if (answer.status !== 200) throw new Error(`the server's health check answers ${answer.status}`);
  return url;
}

async function getJson(url: string): Promise<unknown> {
  const { status, body } = await ask(url, STOP_LIMIT_MS);
  if (status !== 200) throw new Error(`${url} answers ${status}`);
  return JSON.parse(body);
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.kill(signal);
  try {
    await within(STOP_LIMIT_MS, "the server's end", ended);
  } catch (cause) {
    child.kill("SIGKILL");
    if (!(cause instanceof LateError)) throw cause;
    await ended;
  }
}
