import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { settings } from "./settings.ts";
import { until, within } from "./waiting.ts";

export interface JoinOptions {
  name: string;
  /** In GiB. */
  memory?: number;
  /** A file with the certificate of the server's authority, or its fingerprint. */
  trust?: string;
  /** Whether the link is an argument, and not a line of its standard input. */
  showsLink?: boolean;
  /** What is started instead of the program, with its arguments: one that starts it in a network of its own. */
  program?: string;
}

const END_LIMIT_MS = 20_000;
const MOST_LINES = 1000;

/** A computer without a browser that is in a room: `lingualinked join` as a child process. */
export class Computer {
  /** What it has printed, on either channel. */
  readonly lines: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "lingualinked-computer-"));
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #read = 0;

  /** Joins the room of a link. It keeps nothing from one time to the next. */
  constructor(link: string, options: JoinOptions) {
    const { name, memory = 1, trust, showsLink = false, program = settings().program } = options;
    const args = [
      "join",
      ...(showsLink ? [link] : []),
      "--name",
      name,
      "--memory",
      String(memory),
      "--folder",
      this.#folder,
    ];
    this.#child = spawn(program, [...args, ...(trust === undefined ? [] : ["--trust", trust])], {
      stdio: ["pipe", "pipe", "pipe"],
      env: environment(),
    });
    // One that has ended already hears nothing.
    this.#child.stdin?.on("error", () => {}).end(showsLink ? "" : `${link}\n`);
    process.once("exit", this.#kill);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", (line) => this.#note(line));
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once("error", ({ message }) => this.#note(`it cannot be started: ${message}`));
      this.#child.once("close", (code) => {
        process.off("exit", this.#kill);
        rmSync(this.#folder, { recursive: true, force: true });
        resolve(code);
      });
    });
  }

  /** Waits for a line that it prints after the ones that were waited for before. */
  says(pattern: RegExp, limitMs: number): Promise<string> {
    const what = (): string => `a line like ${pattern} (so far: ${this.lines.slice(-5).join(" | ")})`;
    return until(limitMs, what, () => {
      const at = this.lines.findIndex((line, place) => place >= this.#read && pattern.test(line));
      if (at < 0) return undefined;
      this.#read = at + 1;
      return this.lines[at];
    });
  }

  /** Asks it to leave, as Ctrl-C does; its exit status. */
  leave(): Promise<number | null> {
    this.#child.kill("SIGINT");
    return this.end();
  }

  /** Takes it away in the midst of whatever it does. */
  kill(): Promise<number | null> {
    this.#kill();
    return this.end();
  }

  /** Waits until it has ended; its exit status. */
  end(limitMs = END_LIMIT_MS): Promise<number | null> {
    return within(limitMs, "the computer's end", this.#ended);
  }

  readonly #kill = (): void => void this.#child.kill("SIGKILL");

  #note(line: string): void {
    if (this.lines.length < MOST_LINES) this.lines.push(line);
  }
}

/** On a processor that acts as a GPU, as the browsers of the tests do. */
function environment(): NodeJS.ProcessEnv {
  const driver = process.env["LINGUALINKED_VULKAN"];
  return driver ? { ...process.env, VK_DRIVER_FILES: driver } : process.env;
}
