/** What the programs here that drive phones for a command have in common; `cargo xtask` starts them. */

import { text } from "node:stream/consumers";

/** Progress, with the seconds since the program began. */
export type Tell = (line: string) => void;

/** Runs a driver on its options, which come by standard input. What goes wrong is a sentence on stderr and status 1. */
export function drive(run: (options: string, tell: Tell) => Promise<void>): void {
  const started = Date.now();
  const tell: Tell = (line) => {
    const secs = ((Date.now() - started) / 1000).toFixed(1);
    process.stderr.write(`[${secs.padStart(6)} s] ${line}\n`);
  };
  const driven = text(process.stdin).then((options) => run(options, tell));
  driven.catch((cause: unknown) => {
    process.stderr.write(`error: ${cause instanceof Error ? cause.message : String(cause)}\n`);
    process.exitCode = 1;
  });
}
