import { EngineFailure, spawnWorker, type EngineWorker } from "./engine.ts";
import type { EngineError, FromWorker, PlanAnswer, PlanInput, PlanRefusal, ToWorker } from "./messages.ts";

/** Large instances take seconds, and the module may have to be fetched first. */
const LIMIT_MS = 120_000;

/**
 * Assigns modules to devices, without a room: an instance of the planner's file format to its answer, or to why nothing
 * fits. Works in a worker of its own, which ends with the answer. Rejects an instance that means nothing.
 */
export function plan(
  input: PlanInput,
  spawn: () => EngineWorker = spawnWorker,
): Promise<PlanAnswer | PlanRefusal> {
  const worker = spawn();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const answered = new Promise<PlanAnswer | PlanRefusal>((resolve, reject) => {
    const refuse = (code: EngineError["code"], message: string): void =>
      reject(new EngineFailure({ code, message }));
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.type === "planned") resolve(data.result);
      if (data.type === "failed") refuse(data.error.code, data.error.message);
    };
    worker.onerror = (event) => refuse("internal", event.message || "the engine could not be loaded");
    worker.onmessageerror = () => refuse("internal", "a message from the engine could not be read");
    timer = setTimeout(() => refuse("too_slow", "no plan was found within two minutes"), LIMIT_MS);
  });
  worker.postMessage({ type: "plan", input } satisfies ToWorker);
  return answered.finally(() => {
    clearTimeout(timer);
    worker.terminate();
  });
}
