/**
 * The driver of `cargo xtask soak --only requests`: a room that is asked all the time, while phones join it, leave it, are
 * killed and are frozen. Options come as one JSON object by standard input; progress goes to standard error; the result is
 * the last line of standard output.
 */

import { drive, type Tell } from "../driver.ts";
import { Server } from "../server.ts";
import { settings } from "../settings.ts";
import { soakRequests, type RequestsOptions } from "./busy-room.ts";

async function main(text: string, tell: Tell): Promise<void> {
  const options = JSON.parse(text) as RequestsOptions;
  const server = await Server.start({ models: settings().models });
  try {
    const result = await soakRequests(options, server, tell);
    process.stdout.write(`${JSON.stringify(result)}\n`);
    if (result.failures.length > 0)
      throw new Error(`${result.failures.length} failures: ${result.failures[0]}`);
  } finally {
    await server.stop();
  }
}

drive(main);
