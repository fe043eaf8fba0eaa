/**
 * Every screen with made-up data, for looking at: `npm run dev`, then `/dev/stories.html?screen=chat`. The real app on
 * a scripted worker; `settingOf` says what else the address may change. The development server alone serves it; the build does not know it.
 */

import { mount } from "svelte";

import { Engine, type EngineWorker } from "../src/engine/engine.ts";
import type { FromWorker, StartConfig, ToWorker } from "../src/engine/messages.ts";
import App from "../src/ui/App.svelte";
import "../src/ui/theme.css";
import "../src/ui/elements.css";
import { makeHosts, makeTrusted, settingOf } from "./rooms.ts";
import { script } from "./scripts.ts";
import { plainDoor } from "../src/ui/lib/testing.ts";

class ScriptedWorker implements EngineWorker {
  onmessage: Worker["onmessage"] = null;
  onerror: Worker["onerror"] = null;
  onmessageerror: Worker["onmessageerror"] = null;

  constructor(private readonly screen: string) {}

  postMessage(message: ToWorker): void {
    if (message.type === "start") void this.#play();
  }

  terminate(): void {
    this.onmessage = null;
  }

  async #play(): Promise<void> {
    for await (const message of script(this.screen, settingOf(location.search))) this.#emit(message);
  }

  #emit(data: FromWorker): void {
    this.onmessage?.call(this as unknown as Worker, new MessageEvent("message", { data }));
  }
}

const config: StartConfig = {
  signalUrl: "",
  secret: null,
  name: "Ada",
  device: "Pixel 8a",
  modelUrl: "/models/stories.gguf",
  pledge: { bytes: 1e9 },
  wire: "f16",
  balances: true,
  skips: true,
  starts: true,
  reopens: false,
  waits: false,
  requests: null,
  door: plainDoor,
};

const screen = new URLSearchParams(location.search).get("screen") ?? "start";
const engine = new Engine(() => new ScriptedWorker(screen));
const target = document.getElementById("app");
if (!target) throw new Error("no element with the id app");
const setting = settingOf(location.search);
/** Where this phone knows others. */
const knows = ["remembered", "no-room", "gathering", "chat"].includes(screen);
const known = knows ? { trusted: makeTrusted(setting), hosts: makeHosts(setting) } : {};
mount(App, { target, props: { engine, ...known } });

if (screen === "no-room") document.querySelector<HTMLElement>("[data-testid=come-back]")?.click();
else if (!["start", "remembered"].includes(screen)) {
  engine.start(config);
  const prompts = screen.startsWith("chat") ? ["Once upon a time", "The little fox found a door"] : [];
  const count = screen === "chat-empty" ? 0 : prompts.length;
  for (const prompt of prompts.slice(0, count)) {
    engine.ask(prompt, { temperature: 0.7, topK: 40, topP: 0.95, seed: 1, maxTokens: 64 });
  }
}
