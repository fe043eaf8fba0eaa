/** Where the other engines' pages come from: their packages, the models, and a page with nothing on it. */

import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import sirv from "sirv";

import { HERE } from "../settings.ts";

/** Their packages; a folder of its own, because they are large and only the bench needs them. */
export const PEERS = join(HERE, "peers", "node_modules");

export class PeerSite {
  private constructor(
    /** Origin without a slash at its end. */
    readonly url: string,
    private readonly server: Server,
  ) {}

  /** Serves `/peers/`, `/page/` and `/models/`; every page is isolated, so that engines may use threads. */
  static async start(models: string): Promise<PeerSite> {
    if (!existsSync(PEERS)) throw new Error(`there is no ${PEERS}; run \`npm ci\` in the folder above it`);
    const folders = { peers: PEERS, page: join(HERE, "src", "bench", "page"), models };
    const handlers = Object.entries(folders).map(([name, folder]) => ({
      prefix: `/${name}/`,
      serve: sirv(folder, { dev: true }),
    }));
    const server = createServer((request, answer) => {
      for (const [name, value] of ISOLATED) answer.setHeader(name, value);
      const found = handlers.find(({ prefix }) => request.url?.startsWith(prefix));
      if (!found) return void answer.setHeader("content-type", "text/html").end(PAGE);
      request.url = request.url?.slice(found.prefix.length - 1) ?? "";
      found.serve(request, answer, () => void answer.writeHead(404).end());
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(0, "127.0.0.1", resolve);
    });
    return new PeerSite(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server);
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

const ISOLATED = [
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-embedder-policy", "require-corp"],
  ["cross-origin-resource-policy", "same-origin"],
] as const;

const PAGE = "<!doctype html><meta charset=utf-8><title>bench</title>";
