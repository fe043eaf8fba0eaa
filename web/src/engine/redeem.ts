import { spawnWorker, type EngineWorker } from "./engine.ts";
import type { FromWorker, RedeemFailure, ToWorker } from "./messages.ts";

/** What a typed code brought: what goes after the `#` of a link, or why nothing. */
export type Redeemed = { fragment: string } | { why: RedeemFailure; tried: boolean };

/** A phone on a slow network needs a while for the engine, and then a moment for the code. */
const LIMIT_MS = 120_000;

/** Types codes for a phone that is in no room, in a worker of its own: it loads while a person still looks for the digits. */
export class Redeemer {
  /** Null once it has failed: the next code has another one. */
  #worker: EngineWorker | null;
  #isLoaded = false;
  #settle: (outcome: Redeemed) => void = () => {};

  constructor(
    private readonly signalUrl: string,
    private readonly spawn: () => EngineWorker = spawnWorker,
  ) {
    this.#worker = this.#begin();
  }

  /** One after another: a code that is still on its way is given up for the next. */
  redeem(code: string): Promise<Redeemed> {
    this.#settle(this.#late("no_answer"));
    const worker = (this.#worker ??= this.#begin());
    const message: ToWorker = { type: "redeem", signalUrl: this.signalUrl, code };
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#fail(), LIMIT_MS);
      this.#settle = (outcome) => {
        clearTimeout(timer);
        this.#settle = () => {};
        resolve(outcome);
      };
      worker.postMessage(message);
    });
  }

  close(): void {
    this.#settle(this.#late("no_answer"));
    this.#end();
  }

  #begin(): EngineWorker {
    const worker = this.spawn();
    this.#isLoaded = false;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#hear(data);
    worker.onerror = worker.onmessageerror = () => this.#fail();
    return worker;
  }

  #end(): void {
    if (!this.#worker) return;
    this.#worker.onmessage = this.#worker.onerror = this.#worker.onmessageerror = null;
    this.#worker.terminate();
    this.#worker = null;
  }

  #fail(): void {
    this.#settle(this.#late("unreachable"));
    this.#end();
  }

  #hear(message: FromWorker): void {
    if (message.type === "loaded") this.#isLoaded = true;
    if (message.type === "redeemed") this.#settle({ fragment: message.fragment });
    if (message.type === "redeemFailed") this.#settle(message);
    if (message.type === "failed") this.#fail();
  }

  /** Whatever was under way may have come as far as to be a try, unless the engine was not there yet. */
  #late(why: RedeemFailure): Redeemed {
    return { why, tried: this.#isLoaded };
  }
}
