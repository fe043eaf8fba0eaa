import type { EngineWorker } from "./engine.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** A worker that says what a test wants, and notes what it was told. */
export class ScriptedWorker implements EngineWorker {
  readonly received: ToWorker[] = [];
  isTerminated = false;
  onmessage: Worker["onmessage"] = null;
  onerror: Worker["onerror"] = null;
  onmessageerror: Worker["onmessageerror"] = null;

  postMessage(message: ToWorker): void {
    this.received.push(message);
  }
  terminate(): void {
    this.isTerminated = true;
  }
  say(data: FromWorker): void {
    this.onmessage?.call(this as unknown as Worker, new MessageEvent("message", { data }));
  }
}
