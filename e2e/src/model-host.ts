/**
 * In place of a model hub, which tests cannot reach: another origin that serves files in parts over HTTPS and lets every
 * page read them, as hubs do. It notes the ranges that it was asked for.
 */

import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server as Host } from "node:https";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";

export class ModelHost {
  /** `Range` of every answer that was whole. */
  readonly ranges: string[] = [];
  /** So many of the next answers break off in the middle. */
  breaks = 0;

  private constructor(
    private readonly host: Host,
    private readonly path: string,
    private readonly bytes: Buffer,
  ) {}

  /** Serves one file, with the certificate that our server has made in its folder `state`. */
  static async start(file: string, state: string): Promise<ModelHost> {
    const [cert, key] = ["certificate.pem", "key.pem"].map((name) => readFileSync(join(state, "tls", name)));
    const host = createServer({ cert, key });
    const made = new ModelHost(host, `/${basename(file)}`, readFileSync(file));
    host.on("request", (request: IncomingMessage, answer: ServerResponse) => made.answer(request, answer));
    await new Promise<void>((resolve, reject) => host.once("error", reject).listen(0, "127.0.0.1", resolve));
    return made;
  }

  /** The file's address. */
  get url(): string {
    return `https://127.0.0.1:${(this.host.address() as AddressInfo).port}${this.path}`;
  }

  stop(): Promise<void> {
    this.host.closeAllConnections();
    return new Promise((resolve) => this.host.close(() => resolve()));
  }

  private answer(request: IncomingMessage, answer: ServerResponse): void {
    const shared = {
      "access-control-allow-origin": "*",
      "access-control-allow-headers": "range",
      "access-control-expose-headers": "content-range, etag",
    };
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (request.method === "OPTIONS") return void answer.writeHead(204, shared).end();
    if (request.url !== this.path || first === undefined || last === undefined)
      return void answer.writeHead(404, shared).end();
    const part = this.bytes.subarray(Number(first), Number(last) + 1);
    answer.writeHead(206, {
      ...shared,
      etag: '"1"',
      "content-length": part.length,
      "content-range": `bytes ${first}-${last}/${this.bytes.length}`,
    });
    if (this.breaks > 0 && part.length > 1) {
      this.breaks--;
      return void answer.write(part.subarray(0, part.length / 2), () => answer.destroy());
    }
    this.ranges.push(`${first}-${last}`);
    answer.end(part);
  }
}
