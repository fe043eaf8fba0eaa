/** The most memory that a browser took, with all its processes. */

import { readFileSync } from "node:fs";

import type { Browser, CDPSession } from "playwright-core";

/**
 * Adds up the proportional set sizes (PSS) of the browser's processes, as Linux counts them, again and again. The
 * browser itself names its processes.
 */
export class MemoryWatch {
  #peakBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  private constructor(private readonly session: CDPSession) {}

  static async start(browser: Browser): Promise<MemoryWatch> {
    const watch = new MemoryWatch(await browser.newBrowserCDPSession());
    await watch.look();
    return watch;
  }

  /** Ends the watch and returns the largest sum, in bytes; 0 where the system does not count so. */
  stop(): number {
    this.#isOver = true;
    clearTimeout(this.#timer);
    return this.#peakBytes;
  }

  private async look(): Promise<void> {
    // A browser that is closing has no processes to name.
    const named = await this.session.send("SystemInfo.getProcessInfo").catch(() => undefined);
    const bytes = (named?.processInfo ?? []).reduce((sum, { id }) => sum + pssBytes(id), 0);
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    if (!this.#isOver && named) this.#timer = setTimeout(() => void this.look(), PAUSE_MS);
  }
}

/** Of a process that has ended, or of one that cannot be read, nothing. */
function pssBytes(process: number): number {
  try {
    const rollup = readFileSync(`/proc/${process}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

const PAUSE_MS = 500;
