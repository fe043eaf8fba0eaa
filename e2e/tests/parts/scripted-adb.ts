/**
 * An adb server with phones that answer as they are told: what the real adb program and Playwright say to it is what
 * they would say to a real one. Protocol: Android's `packages/modules/adb/docs/dev/services.md`.
 */

import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** A phone: what its shell prints, and what listens on its abstract sockets. */
export interface ScriptedPhone {
  state: "device" | "offline" | "unauthorized";
  shell: (command: string) => string | Promise<string>;
  /** A port of this machine behind `localabstract:NAME`, and what to do to the first bytes sent to it. */
  socket?: (name: string) => { port: number; rewrite: (first: Buffer) => Buffer } | undefined;
}

export class ScriptedAdb {
  readonly phones = new Map<string, ScriptedPhone>();
  /** Every service that was asked for, with the phone's serial before it. */
  readonly asked: string[] = [];
  readonly #connections = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** The client refuses, and replaces, a server of another version. */
    private readonly version: number,
  ) {}

  static async start(version: number): Promise<ScriptedAdb> {
    const server = createServer();
    const scripted = new ScriptedAdb(server, version);
    server.on("connection", (socket) => scripted.#serve(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return scripted;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  stop(): void {
    for (const socket of this.#connections) socket.destroy();
    this.server.close();
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => socket.destroy());
    let received = Buffer.alloc(0);
    let serial: string | null = null;
    const onData = (data: Buffer): void => {
      received = Buffer.concat([received, data]);
      const length = parseInt(received.toString("latin1", 0, 4), 16);
      if (received.length < 4 || received.length < 4 + length) return;
      const service = received.toString("utf8", 4, 4 + length);
      received = received.subarray(4 + length);
      this.asked.push(serial === null ? service : `${serial} ${service}`);
      if (serial !== null) {
        socket.off("data", onData);
        void this.#servePhone(socket, serial, service);
      } else {
        serial = this.#serveHost(socket, service);
      }
    };
    socket.on("data", onData);
  }

  /** Answers a service of the server itself. A phone's serial when the connection is now to that phone. */
  #serveHost(socket: Socket, service: string): string | null {
    const transport = /^host:(transport|tport:serial):(.+)$/.exec(service);
    const serial = transport?.[2];
    if (serial !== undefined) {
      if (this.phones.get(serial)?.state !== "device") return fail(socket, `device '${serial}' not found`);
      socket.write("OKAY");
      // The newer form is also told the transport's number.
      if (transport?.[1] !== "transport") socket.write(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]));
      return serial;
    }
    const answer = this.#hostAnswer(service);
    if (answer === undefined) return fail(socket, `unknown host service ${service}`);
    socket.end(`OKAY${counted(answer)}`);
    return null;
  }

  #hostAnswer(service: string): string | undefined {
    if (service === "host:version") return this.version.toString(16).padStart(4, "0");
    if (service === "host:devices") {
      return [...this.phones].map(([serial, { state }]) => `${serial}\t${state}\n`).join("");
    }
    // No features: the plain shell, whose output is the bare bytes.
    if (/^host(-serial:.+)?:(host-)?features$/.test(service)) return "";
    return undefined;
  }

  async #servePhone(socket: Socket, serial: string, service: string): Promise<void> {
    const phone = this.phones.get(serial);
    const [, kind, rest = ""] = /^(shell|reverse|localabstract):(.*)$/s.exec(service) ?? [];
    if (!phone || kind === undefined) return void fail(socket, `unknown service ${service}`);
    if (kind === "localabstract") return bridge(socket, phone.socket?.(rest));
    socket.write("OKAY");
    if (kind === "reverse") socket.end("OKAY");
    else socket.end(await phone.shell(rest));
  }
}

/** Passes bytes on, as adb does for a socket of the phone. */
function bridge(
  socket: Socket,
  behind: { port: number; rewrite: (first: Buffer) => Buffer } | undefined,
): void {
  if (!behind) return void fail(socket, "closed");
  const inner = createConnection({ host: "127.0.0.1", port: behind.port });
  inner.on("error", () => socket.destroy());
  inner.on("close", () => socket.destroy());
  socket.on("close", () => inner.destroy());
  socket.write("OKAY");
  socket.once("data", (first: Buffer) => {
    inner.write(behind.rewrite(first));
    socket.pipe(inner);
  });
  inner.pipe(socket);
}

function counted(text: string): string {
  return Buffer.byteLength(text).toString(16).padStart(4, "0") + text;
}

function fail(socket: Socket, message: string): null {
  socket.end(`FAIL${counted(message)}`);
  return null;
}
