/** A browser that can be killed or frozen like an app that the system takes away: with all its processes. */

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Program {
  readonly #folder = mkdtempSync(join(tmpdir(), "lingualinked-program-"));
  readonly path = join(this.#folder, "run");

  /** `program`, once it is started from {@link path}. */
  constructor(program: string) {
    writeFileSync(this.path, `#!/bin/sh\necho $$ > '${this.#pidFile}' && exec '${program}' "$@"\n`);
    chmodSync(this.path, 0o755);
  }

  /** To it and all its children: Playwright starts a browser as the first of a process group. */
  signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    process.kill(-Number(readFileSync(this.#pidFile, "utf8")), name);
  }

  /** Whatever state it is in; it may have ended. One that stands still says nothing more. */
  end(): void {
    try {
      this.signal("SIGKILL");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ESRCH") throw cause;
    }
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #pidFile(): string {
    return join(this.#folder, "pid");
  }
}
