import type { Page } from "playwright-core";

import type { RoomView } from "../../web/src/engine/messages.ts";
import type { EngineView } from "../../web/src/engine/view.ts";
import { capture } from "./capture.ts";
import { gpuCounts, haveMemory, loseGpu, runShortOfMemory, watchGpu, type GpuCounts } from "./gpu.ts";
import { within } from "./waiting.ts";

/** For one step on one phone; several share two slow cores. */
export const STEP_LIMIT_MS = 120_000;

/** Of what is written on the console. */
const REMARKS_KEPT = 60;

/** The page in a browser that nobody else uses: what it shows and what goes wrong in it. */
export class Tab {
  /** Errors that nobody caught, in the page or its workers. A test fails on any. */
  readonly uncaught: string[] = [];
  /** What the page and its workers wrote with `console.error`. */
  readonly complaints: string[] = [];
  /** The last that they wrote at all, each with the seconds since the tab was there. */
  private readonly remarks: string[] = [];
  isClosed = false;
  protected lastView: EngineView | null = null;

  constructor(
    readonly name: string,
    readonly page: Page,
    private readonly end: () => Promise<void>,
  ) {
    page.on("pageerror", (error) =>
      this.uncaught.push(error.stack || error.message || "an error without words"),
    );
    page.on("crash", () => this.uncaught.push("the page crashed"));
    const began = Date.now();
    page.on("console", (message) => {
      const secs = ((Date.now() - began) / 1000).toFixed(1);
      if (this.remarks.push(`${secs} ${message.text()}`) > REMARKS_KEPT) this.remarks.shift();
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.setDefaultTimeout(STEP_LIMIT_MS);
  }

  /** From now on, what the engine asks of WebGPU is counted. Before the page is opened. */
  watchGpu(): Promise<void> {
    return watchGpu(this.page);
  }

  gpuCounts(): Promise<GpuCounts> {
    return this.step("its GPU counts", gpuCounts(this.page));
  }

  /** Before the page is opened, so that its links can be broken. */
  async watchLinks(): Promise<void> {
    await this.page.addInitScript(watchConnections);
  }

  /** All watched connections to other phones end at once, as where a phone changes its network. */
  breakLinks(): Promise<void> {
    const broken = this.page.evaluate(() => window.connections.forEach((connection) => connection.close()));
    return this.step("breaking its links", broken);
  }

  /** A watched GPU is gone, as when its driver gives up. */
  loseGpu(): Promise<void> {
    return this.step("losing its GPU", loseGpu(this.page));
  }

  /** A watched GPU has no memory for what is loaded next. */
  runShortOfMemory(): Promise<void> {
    return this.step("running short of GPU memory", runShortOfMemory(this.page));
  }

  /** It has memory again. */
  haveMemory(): Promise<void> {
    return this.step("having GPU memory again", haveMemory(this.page));
  }

  async open(url: string): Promise<void> {
    await this.step("opening the page", this.page.goto(url, { timeout: STEP_LIMIT_MS }));
  }

  async view(): Promise<EngineView> {
    const view = await this.step(
      "looking at its page",
      this.page.evaluate(() => window.lingualinked.engine.view.value),
    );
    this.lastView = view;
    return view;
  }

  /** The room as this phone sees it. */
  async room(): Promise<RoomView> {
    const { room } = await this.view();
    if (!room) throw new Error(`${this.name} is in no room`);
    return room;
  }

  /** What was written lately, and how the phone knows its room: for who looks for a cause. */
  async report(): Promise<string> {
    const { room, turns, isServerAway, error } = await this.view();
    const state = JSON.stringify({ isServerAway, error, turns: turns.slice(-1), room });
    return [...this.remarks, state].join("\n");
  }

  screenshot(path?: string): Promise<Buffer> {
    return capture(this.page, { ...(path === undefined ? {} : { path }), timeout: STEP_LIMIT_MS });
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.step("closing its browser", this.end());
  }

  protected step<T>(what: string, promise: Promise<T>): Promise<T> {
    return within(STEP_LIMIT_MS, `${this.name}: ${what}`, promise);
  }
}

/** Runs in the page. Must not use anything from around it. */
function watchConnections(): void {
  const made: RTCPeerConnection[] = [];
  window.connections = made;
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      const link = `link ${made.push(this)}`;
      this.addEventListener("connectionstatechange", () => console.debug(link, this.connectionState));
      this.addEventListener("signalingstatechange", () => console.debug(link, this.signalingState));
    }
  };
}
