import type { AskOptions, EngineError, RoomPhase, RoomView } from "../../web/src/engine/messages.ts";
import type { Turn } from "../../web/src/engine/view.ts";
import { address, type PhoneQuery } from "./address.ts";
import { readQr } from "./qr.ts";
import { STEP_LIMIT_MS, Tab } from "./tab.ts";
import { until, within } from "./waiting.ts";

/** Until the first words of an answer are there. */
const MIDST_LIMIT_MS = 30_000;

/** A person with a phone: one page, in a browser that nobody else uses. */
export class Phone extends Tab {
  /** Starts a room and returns its link, once others can join. They come in without asking, unless `query` says `ask`. */
  async start(origin: string, query: PhoneQuery = {}): Promise<string> {
    await this.open(address(origin, { admit: "all", ...query }));
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
    const link = readQr(await this.screenshot());
    if (link === null) throw new Error(`${this.name}: no QR code can be read on the screen`);
    return link;
  }

  /** Opens a link with this phone's own wishes before the secret, as a camera does it: in a fresh page. And joins. */
  async join(link: string, query: PhoneQuery = {}): Promise<void> {
    const url = new URL(link);
    await this.open("about:blank");
    await this.open(address(url.origin, query) + url.hash);
    await this.page.getByTestId("join").click();
  }

  /** Coordinator: waits until a phone asks to come in. Gives the pictures on the screen. */
  async asked(name: string): Promise<string[]> {
    await this.page.getByTestId("asker").filter({ hasText: name }).waitFor();
    return this.pictures();
  }

  /** Waits until the screen says that somebody is asked whether this phone may come in. Gives the pictures on it. */
  async asks(): Promise<string[]> {
    await this.page.getByTestId("asking").waitFor();
    return this.pictures();
  }

  async letIn(): Promise<void> {
    await this.page.getByTestId("let-in").click();
  }

  private pictures(): Promise<string[]> {
    return this.page.getByTestId("pictures").getByRole("listitem").allInnerTexts();
  }

  /** Leaves the room. The first tap asks, and the second leaves if it comes soon. */
  async leave(): Promise<void> {
    const button = this.page.getByTestId("leave");
    await button.waitFor();
    const isGone = async (): Promise<true | undefined> => {
      if ((await button.count()) === 0) return true;
      await button.click();
      return undefined;
    };
    await until(STEP_LIMIT_MS, `${this.name}: leaving`, isGone);
  }

  /** Waits until so many phones are in the room and linked to this one. */
  meet(phones: number, limitMs = STEP_LIMIT_MS): Promise<RoomView> {
    const linked = (room: RoomView): number =>
      room.peers.filter((peer) => peer.me || peer.link === "open").length;
    const count = (): string => (this.lastView?.room ? String(linked(this.lastView.room)) : "none");
    const what = (): string => `${this.name}: linked to all ${phones} phones (${count()} so far)`;
    return this.await(what, limitMs, (room) => linked(room) >= phones);
  }

  /** Coordinator: taps the button, once the model's front has been read. */
  async begin(): Promise<void> {
    await this.await(
      () => `${this.name}: the model's front`,
      STEP_LIMIT_MS,
      (room) => room.model !== null,
    );
    await this.page.getByTestId("begin").click();
  }

  /** Waits until the room is in this phase or a later one. */
  reach(phase: RoomPhase, limitMs: number, tell: (room: RoomView) => void = () => {}): Promise<RoomView> {
    const what = (): string => `${this.name}: ${phase} (it is ${this.phase})`;
    return this.await(what, limitMs, (room) => {
      tell(room);
      return PHASES.indexOf(room.phase) >= PHASES.indexOf(phase);
    });
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
    return this.step("asking", asked);
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

  /** Waits until an answer is under way: until more than so many of its characters are there. */
  async midst(ask: number, characters = 20, limitMs = MIDST_LIMIT_MS): Promise<void> {
    const isThere = async (): Promise<true | undefined> => {
      const turn = (await this.view()).turns.find((one) => one.ask === ask);
      return turn && turn.text.length > characters ? true : undefined;
    };
    await until(limitMs, `${this.name}: the middle of an answer`, isThere, 50);
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

  private get phase(): string {
    return this.lastView?.room?.phase ?? this.lastView?.status ?? "not open";
  }

  /** Waits for a room that satisfies `test`; an error, in the engine's own words, when the room fails instead. */
  private await(what: () => string, limitMs: number, test: (room: RoomView) => boolean): Promise<RoomView> {
    return until(limitMs, what, async () => {
      const { room, error: failure } = await this.view();
      const error = failure ?? room?.error ?? (room?.phase === "failed" ? UNEXPLAINED : null);
      if (error) throw new PhoneError(this.name, this.phase, error);
      return room && test(room) ? room : undefined;
    });
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

const PHASES: RoomPhase[] = ["connecting", "gathering", "measuring", "planning", "loading", "ready"];

const UNEXPLAINED: EngineError = { code: "internal", message: "the room failed without saying why" };
