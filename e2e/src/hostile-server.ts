/**
 * A signaling server in the hands of somebody who wants to hear what phones say, or to be one of them. It stands before
 * the real one, serves the same page, and does with the messages between phones what it likes.
 */

import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { WebSocket, WebSocketServer, type RawData } from "ws";

import type { Server } from "./server.ts";

/** What goes on in the place of a message, each after so many milliseconds. */
export type Delivery = string | { afterMs: number; text: string };
export type Tamper = (text: string) => Delivery[];

export class HostileServer {
  /** Every message that went through it. */
  readonly heard: string[] = [];
  /** What it does with messages to phones. */
  toPhones: Tamper = pass;
  /** What it does with messages from phones. */
  fromPhones: Tamper = pass;

  private constructor(
    readonly url: string,
    private readonly end: () => Promise<void>,
  ) {}

  static async before(real: Server): Promise<HostileServer> {
    const http = createServer((asked, answer) => forward(real, asked, answer));
    const sockets = new WebSocketServer({ noServer: true });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const { port } = http.address() as AddressInfo;
    const hostile = new HostileServer(`http://127.0.0.1:${port}`, async () => {
      sockets.clients.forEach((socket) => socket.terminate());
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    });
    http.on("upgrade", (asked, socket, head) => {
      sockets.handleUpgrade(asked, socket, head, (phone) => hostile.sit(phone, `${real.url}${asked.url}`));
    });
    return hostile;
  }

  stop(): Promise<void> {
    return this.end();
  }

  /** Between a phone and the real server. */
  private sit(phone: WebSocket, url: string): void {
    const server = new WebSocket(url.replace(/^http/, "ws"));
    const opened = once(server, "open");
    phone.on("message", (data) => this.deliver(data, this.fromPhones, server, () => opened));
    server.on("message", (data) => this.deliver(data, this.toPhones, phone, () => Promise.resolve()));
    phone.on("close", () => server.close());
    server.on("close", () => phone.close());
    for (const socket of [phone, server]) socket.on("error", () => socket.terminate());
  }

  private deliver(data: RawData, tamper: Tamper, to: WebSocket, ready: () => Promise<unknown>): void {
    const heard = String(data);
    this.heard.push(heard);
    for (const delivery of tamper(heard)) {
      const { afterMs, text } = typeof delivery === "string" ? { afterMs: 0, text: delivery } : delivery;
      const send = (): void => void ready().then(() => to.readyState === WebSocket.OPEN && to.send(text));
      if (afterMs > 0) setTimeout(send, afterMs);
      else send();
    }
  }
}

function pass(text: string): Delivery[] {
  return [text];
}

function forward(real: Server, asked: IncomingMessage, answer: ServerResponse): void {
  const { method, headers } = asked;
  const onward = request(`${real.url}${asked.url}`, { method, headers }, (answered) => {
    answer.writeHead(answered.statusCode ?? 502, answered.headers);
    answered.pipe(answer);
  });
  onward.on("error", () => answer.destroy());
  asked.pipe(onward);
}
