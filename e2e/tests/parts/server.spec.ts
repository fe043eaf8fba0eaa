import { expect, test } from "@playwright/test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { peersOf, spansOf } from "../../src/access-log.ts";
import { Server } from "../../src/server.ts";
import { withSite } from "./site.ts";

const page = { "index.html": "<!doctype html><title>A page</title>" };

test("the server starts on a free port, tells its counts, and stops", async () => {
  let url = "";
  await withSite(page, async (server) => {
    url = server.url;
    expect(server.port).toBeGreaterThan(0);
    expect(await server.stats()).toEqual({
      rooms: 0,
      peers: 0,
      signaling_bytes: 0,
      relayed_bytes: 0,
      turn_bytes: 0,
    });
  });
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});

test("the access log says which bytes of a model each phone was given", async () => {
  const models = mkdtempSync(join(tmpdir(), "models-"));
  writeFileSync(join(models, "m.gguf"), "0123456789");
  const run = async (server: Server): Promise<void> => {
    expect(await server.models()).toEqual(["/models/m.gguf"]);
    const get = async (peer: string, range?: string): Promise<string> => {
      const headers: Record<string, string> = range ? { range } : {};
      return (await fetch(`${server.url}/models/m.gguf?peer=${peer}`, { headers })).text();
    };
    expect(await get("aa", "bytes=2-4")).toBe("234");
    expect(await get("aa", "bytes=7-")).toBe("789");
    await get("aa", "bytes=99-");
    await get("bb");
    await expect
      .poll(() => server.accessLog().filter(({ uri }) => uri.startsWith("/models/")).length)
      .toBe(4);
    const log = server.accessLog();
    expect(spansOf(log, "/models/m.gguf", "aa")).toEqual([
      { start: 2, end: 5 },
      { start: 7, end: 10 },
    ]);
    expect(spansOf(log, "/models/m.gguf", "bb")).toEqual([{ start: 0, end: 10 }]);
    expect(peersOf(log, "/models/m.gguf")).toEqual(["aa", "bb"]);
  };
  try {
    await withSite(page, run, { models: [models] });
  } finally {
    rmSync(models, { recursive: true });
  }
});

test("a server that cannot start says why", async () => {
  const missing = Server.start({ program: "/nowhere/signaling-server", app: "/", models: [] });
  await expect(missing).rejects.toThrow("the server cannot be started");
  const noPage = Server.start({ app: "/nowhere", models: [] });
  await expect(noPage).rejects.toThrow(/the server ended \(1\): .*\/nowhere/);
});
