import { spawn } from "node:child_process";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

import { onPath } from "./settings.ts";
import { until } from "./waiting.ts";

const START_LIMIT_MS = 10_000;

/** The real NATS, by which signaling servers share rooms. */
export interface Nats {
  url: string;
  stop: () => void;
}

/** Why there is none, if so. */
export function missingNats(): string | undefined {
  return onPath(["nats-server"], process.env["PATH"]) ? undefined : "nats-server is not installed";
}

export async function startNats(): Promise<Nats> {
  const port = await freePort();
  const child = spawn("nats-server", ["--addr", "127.0.0.1", "--port", String(port)], { stdio: "ignore" });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = (): void => {
    process.off("exit", kill);
    kill();
  };
  try {
    await until(START_LIMIT_MS, "NATS", async () => ((await isListening(port)) ? true : undefined));
  } catch (cause) {
    stop();
    throw cause;
  }
  return { url: `nats://127.0.0.1:${port}`, stop };
}

/** One address for several servers: whoever connects gets the one that is its turn. */
export class Balancer {
  readonly #sockets = new Set<Socket>();
  readonly #listener = createServer((near) => this.#connect(near));

  private constructor(private target: number) {}

  static async start(target: number): Promise<Balancer> {
    const balancer = new Balancer(target);
    await new Promise<void>((resolve) => balancer.#listener.listen(0, "127.0.0.1", resolve));
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** Who connects from now on. */
  turnTo(target: number): void {
    this.target = target;
  }

  stop(): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #connect(near: Socket): void {
    const far = connect(this.target, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise<void>((resolve) => listener.close(() => resolve()));
  return port;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
