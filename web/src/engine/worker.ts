/** The engine worker: loads the wasm module and passes messages. It decides nothing. */

import init, { Engine, plan } from "../generated/lingualinked.js";
import type { FromWorker, PlanAnswer, PlanRefusal, ToWorker } from "./messages.ts";
import { PortChannel } from "./relay.ts";
import { CHANNEL_LABEL } from "./rtc.ts";

const emit = (message: FromWorker, transfer: Transferable[] = []): void => postMessage(message, { transfer });

const loading = init().then(() => {
  const engine = new Engine(emit, loadText);
  emit({ type: "loaded" });
  return engine;
});

addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  const message = withChannel(data);
  loading.then((engine) => take(engine, message)).catch(fail);
});
addEventListener("unhandledrejection", ({ reason }) => fail(reason));

function take(engine: Engine, message: ToWorker): void {
  if (message.type !== "plan") return engine.handle(message);
  const result = JSON.parse(plan(JSON.stringify(message.input))) as PlanAnswer | PlanRefusal;
  emit({ type: "planned", result });
}

/** Only the phone that starts a room reads questions and writes answers, so only it loads that part. */
function loadText(): Promise<object> {
  const loaded = importText();
  // The engine tells what went wrong, when it comes to need it.
  loaded.catch(() => {});
  return loaded;
}

async function importText(): Promise<object> {
  const { default: start, ModelText } = await import("../generated/lingualinked_text.js");
  await start();
  return ModelText;
}

/** The engine sees one kind of channel: a relaying port is dressed as one, at once so that no message is lost. */
function withChannel(message: ToWorker): ToWorker {
  if (message.type !== "rtc" || message.event.kind !== "channel") return message;
  const { event } = message;
  if (!(event.channel instanceof MessagePort)) return message;
  const channel = new PortChannel(event.channel, CHANNEL_LABEL) as unknown as RTCDataChannel;
  return { type: "rtc", event: { ...event, channel } };
}

function fail(cause: unknown): void {
  console.error(cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  emit({ type: "failed", ask: null, error: { code: "internal", message } });
}
