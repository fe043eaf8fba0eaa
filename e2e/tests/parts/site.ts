import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Server, type ServerOptions } from "../../src/server.ts";

/** The real server with a page of the test's own: files by name. */
export async function withSite(
  files: Record<string, string | Uint8Array>,
  run: (server: Server) => Promise<void>,
  options: ServerOptions = {},
): Promise<void> {
  const app = mkdtempSync(join(tmpdir(), "lingualinked-app-"));
  try {
    for (const [name, data] of Object.entries(files)) writeFileSync(join(app, name), data);
    const server = await Server.start({ models: [], ...options, app });
    try {
      await run(server);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(app, { recursive: true, force: true });
  }
}
