import type { Page } from "playwright-core";

import type { AskOptions, EngineError, RoomPhase, RoomView } from "../../web/src/engine/messages.ts";
import type { EngineView, Turn } from "../../web/src/engine/view.ts";
import { countGpu, gpuCounts, type GpuCounts } from "./gpu.ts";
import { readQr } from "./qr.ts";
import { until, within } from "./waiting.ts";

/** What a phone's address asks for; see `web/src/query.ts`. */
export interface PhoneQuery {
  model?: string;
  name?: string;
  pledge?: string;
  max?: number;
  temperature?: number;
  seed?: number;
  tokens?: number;
}

/** A person with a phone: one page, in a browser that nobody else uses. */
export class Phone {
  /** Errors that nobody caught, in the page or its workers. A test fails on any. */
  readonly uncaught: string[] = [];
  /** What the page and its workers wrote with `console.error`. */
  readonly complaints: string[] = [];
  isClosed = false;
  #lastView: EngineView | null = null;

  constructor(
    readonly name: string,
    readonly page: Page,
    private readonly end: () => Promise<void>,
  ) {
    page.on("pageerror", (error) =>
      this.uncaught.push(error.stack || error.message || "an error without words"),
    );
    page.on("crash", () => this.uncaught.push("the page crashed"));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.setDefaultTimeout(STEP_LIMIT_MS);
  }

  /** From now on, what the engine asks of WebGPU is counted. Before the page is opened. */
  countGpu(): Promise<void> {
    return countGpu(this.page);
  }

  gpuCounts(): Promise<GpuCounts> {
    return this.#step("its GPU counts", gpuCounts(this.page));
  }

  async open(url: string): Promise<void> {
    await this.#step("opening the page", this.page.goto(url, { timeout: STEP_LIMIT_MS }));
  }

  /** Starts a room and returns its link, once others can join. */
  async start(origin: string, query: PhoneQuery = {}): Promise<string> {
    await this.open(address(origin, query));
    await this.page.getByTestId("start").click();
    await this.reach("gathering", STEP_LIMIT_MS);
    return this.invitation();
  }

  /** The link that the screen shows. */
  async invitation(): Promise<string> {
    const link = await this.page.getByTestId("invite-link").first().getAttribute("href");
    if (!link) throw new Error(`${this.name}: the screen shows no link`);
    return link;
  }

  /** The link, decoded from a picture of the screen as a camera would see it. */
  async scan(): Promise<string> {
    const code = this.page.getByTestId("qr").first();
    await code.scrollIntoViewIfNeeded();
    const link = readQr(await this.page.screenshot());
    if (link === null) throw new Error(`${this.name}: no QR code can be read on the screen`);
    return link;
  }

  /** Opens a link with this phone's own wishes before the secret, and joins. */
  async join(link: string, query: PhoneQuery = {}): Promise<void> {
    const url = new URL(link);
    await this.open(address(url.origin, query) + url.hash);
    await this.page.getByTestId("join").click();
  }

  /** Waits until so many phones are in the room and linked to this one. */
  async meet(phones: number, limitMs = STEP_LIMIT_MS): Promise<RoomView> {
    const linked = (room: RoomView): number =>
      room.peers.filter((peer) => peer.me || peer.link === "open").length;
    const count = (): string => (this.#lastView?.room ? String(linked(this.#lastView.room)) : "no");
    return until(
      limitMs,
      () => `${this.name}: linked to all ${phones} phones (there are ${count()})`,
      async () => {
        const { room } = await this.view();
        return room && linked(room) >= phones ? room : undefined;
      },
    );
  }

  async begin(): Promise<void> {
    await this.page.getByTestId("begin").click();
  }

  /** Waits until the room is in this phase or a later one; an error when the room fails instead. */
  async reach(
    phase: RoomPhase,
    limitMs: number,
    tell: (room: RoomView) => void = () => {},
  ): Promise<RoomView> {
    const is = (): string => this.#lastView?.room?.phase ?? this.#lastView?.status ?? "not open";
    return until(
      limitMs,
      () => `${this.name}: ${phase} (it is ${is()})`,
      async () => {
        const view = await this.view();
        const error = view.error ?? view.room?.error;
        if (error) throw new PhoneError(this.name, is(), error);
        if (!view.room) return undefined;
        tell(view.room);
        return PHASES.indexOf(view.room.phase) >= PHASES.indexOf(phase) ? view.room : undefined;
      },
    );
  }

  /** Writes a question on the screen and sends it. Returns the turn's number. */
  async type(prompt: string): Promise<number> {
    const before = (await this.view()).turns.length;
    await this.page.getByTestId("prompt").fill(prompt);
    await this.page.getByTestId("send").click();
    const asked = async (): Promise<Turn | undefined> => (await this.view()).turns[before];
    return (await until(STEP_LIMIT_MS, `${this.name}: the question on the screen`, asked)).ask;
  }

  /** Asks through the page's own facade: for prompts and options that the screen does not offer. */
  ask(prompt: string, options: AskOptions): Promise<number> {
    const asked = this.page.evaluate(([text, how]) => window.lingualinked.engine.ask(text, how), [
      prompt,
      options,
    ] as const);
    return this.#step("asking", asked);
  }

  /** Waits for the whole answer. `stallMs` is the longest time without a new piece of text. */
  async answer(
    ask: number,
    stallMs: number,
    tell: (delta: string) => void = () => {},
  ): Promise<AnsweredTurn> {
    let text = "";
    for (;;) {
      const what = `${this.name}: ${text === "" ? "the first token" : "another token"}`;
      const turn = await until(stallMs, what, async () => {
        const found = (await this.view()).turns.find((one) => one.ask === ask);
        const isNews = found && (found.text !== text || found.state === "done" || found.state === "failed");
        return isNews ? found : undefined;
      });
      tell(turn.text.slice(text.length));
      text = turn.text;
      if (turn.state === "failed") throw new PhoneError(this.name, "answering", turn.error);
      if (turn.state === "done") return turn;
    }
  }

  /** Counts a prompt's tokens without loading anything. */
  check(prompt: string, limitMs: number): Promise<{ promptTokens: number; contextTokens: number }> {
    const checked = this.page.evaluate(
      (text) =>
        window.lingualinked.engine.check(text).then(
          (counts) => ({ counts, error: null }),
          (cause: { error?: EngineError; message: string }) => ({
            counts: null,
            error: cause.error ?? { code: "internal" as const, message: cause.message },
          }),
        ),
      prompt,
    );
    return within(limitMs, `${this.name}: counting the prompt's tokens`, checked).then(
      ({ counts, error }) => {
        if (error) throw new PhoneError(this.name, "counting the prompt's tokens", error);
        return counts;
      },
    );
  }

  async view(): Promise<EngineView> {
    const view = await this.#step(
      "looking at its page",
      this.page.evaluate(() => window.lingualinked.engine.view.value),
    );
    this.#lastView = view;
    return view;
  }

  /** The room as this phone sees it. */
  async room(): Promise<RoomView> {
    const { room } = await this.view();
    if (!room) throw new Error(`${this.name} is in no room`);
    return room;
  }

  screenshot(path?: string): Promise<Buffer> {
    return this.page.screenshot({ ...(path === undefined ? {} : { path }), timeout: STEP_LIMIT_MS });
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.#step("closing its browser", this.end());
  }

  #step<T>(what: string, promise: Promise<T>): Promise<T> {
    return within(STEP_LIMIT_MS, `${this.name}: ${what}`, promise);
  }
}

export type AnsweredTurn = Extract<Turn, { state: "done" }>;

/** The room or an answer failed, in the engine's own words. */
export class PhoneError extends Error {
  constructor(
    phone: string,
    during: string,
    readonly error: EngineError,
  ) {
    super(`${phone}, ${during}: ${error.message} (${error.code})`);
    this.name = "PhoneError";
  }
}

/** The page's address on the phone, with its wishes. */
export function address(origin: string, query: PhoneQuery): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(key, String(value));
  }
  const search = parameters.toString();
  return `${origin.replace(/\/$/, "")}/${search && `?${search}`}`;
}

const PHASES: RoomPhase[] = ["connecting", "gathering", "measuring", "planning", "loading", "ready"];

/** For one step on one phone; several share two slow cores. */
export const STEP_LIMIT_MS = 120_000;
