import type {
  Assignment,
  AskOptions,
  AwayReason,
  ChatMessage,
  EngineError,
  FromWorker,
  Identity,
  StartConfig,
  ToWorker,
} from "./messages.ts";
import { ownIdentity } from "./key.ts";
import { RtcHost } from "./rtc.ts";
import { Store } from "./store.ts";
import { emptyView, isOver, reduce, withTurn, type EngineView, type Turn } from "./view.ts";

/** A phone on a slow network needs a while for the module; after that it is not coming. */
const LOAD_TIMEOUT_MS = 120_000;
const CHECK_TIMEOUT_MS = 60_000;

/** Token counts of a prompt, before anything is loaded. */
export interface PromptCheck {
  promptTokens: number;
  contextTokens: number;
}

/** What the facade needs of a worker; a real one in the page, a scripted one in tests. */
export type EngineWorker = Pick<
  Worker,
  "postMessage" | "terminate" | "onmessage" | "onerror" | "onmessageerror"
>;

export function spawnWorker(): EngineWorker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "lingualinked" });
}

/** Why a promise of the facade was rejected. */
export class EngineFailure extends Error {
  constructor(readonly error: EngineError) {
    super(error.message);
    this.name = "EngineFailure";
  }
}

/**
 * The whole engine for the page: commands go in as method calls, everything that happens shows in `view`. One room at
 * a time; `leave` ends the worker and everything in it, so that the next `start` begins clean.
 */
export class Engine {
  readonly view = new Store<EngineView>(emptyView());
  #worker: EngineWorker | null = null;
  #rtc: RtcHost | null = null;
  #loadTimer: ReturnType<typeof setTimeout> | undefined;
  #lastAsk = 0;
  readonly #checks = new Map<number, (result: PromptCheck | EngineError) => void>();

  constructor(
    private readonly spawn: () => EngineWorker = spawnWorker,
    private readonly host: (send: ConstructorParameters<typeof RtcHost>[0]) => RtcHost = (send) =>
      new RtcHost(send),
    private readonly identity: () => Promise<Identity | null> = ownIdentity,
  ) {}

  /**
   * Makes a room, joins the one whose secret is in `config`, or goes on with it as the phone that had started it, with
   * the model files that were picked for it and what was said in it. Leaves the room before, if any.
   */
  start(config: StartConfig, files: File[] = [], turns: Turn[] = []): void {
    this.leave();
    this.view.set({ ...emptyView(), status: "loading", turns });
    this.#lastAsk = turns.reduce((last, { ask }) => Math.max(last, ask), this.#lastAsk);
    const worker = this.spawn();
    this.#worker = worker;
    this.#rtc = this.host((event, transfer = []) => worker.postMessage({ type: "rtc", event }, transfer));
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = (event) => this.#fail("internal", event.message || "the engine could not be loaded");
    worker.onmessageerror = () => this.#fail("internal", "a message from the engine could not be read");
    this.#loadTimer = setTimeout(
      () => this.#fail("server_unreachable", "the engine did not load within two minutes"),
      LOAD_TIMEOUT_MS,
    );
    if (files.length > 0) this.pick(files);
    this.#post({ type: "start", config });
    if (config.starts) void this.#tellOwn(worker);
  }

  /** The invitation names this phone, so that nobody else can be taken for it. */
  async #tellOwn(worker: EngineWorker): Promise<void> {
    const identity = await this.identity();
    if (this.#worker === worker) this.#post({ type: "own", identity });
  }

  /** Gives the engine model files that were picked on this phone. */
  pick(files: File[]): void {
    this.#post({ type: "files", files });
  }

  /** Coordinator: everybody is here; measure, plan and load. Again, where the room is ready already. */
  begin(assignment: Assignment = "best"): void {
    this.#post({ type: "begin", assignment });
  }

  /** Coordinator: these phones come in without asking, now and later. Replaces those named before. */
  trust(identities: Identity[]): void {
    this.#post({ type: "trust", identities });
  }

  /** Coordinator: another invitation, good for so many seconds from now; null is as long as the room is open. */
  invite(lifeSecs: number | null): void {
    this.#post({ type: "invite", lifeSecs });
  }

  /** Coordinator: rooms to come have another secret, and invitations that were given out are over. */
  home(secret: string, ticketKey: string): void {
    this.#post({ type: "home", secret, ticketKey });
  }

  /** Coordinator: a phone that asks may come in. */
  letIn(peer: string): void {
    this.#post({ type: "letIn", peer });
  }

  /** Coordinator: a phone that asks may not come in. */
  turnAway(peer: string): void {
    this.#post({ type: "turnAway", peer });
  }

  /** Coordinator: whether nobody else may come in. */
  lock(locked: boolean): void {
    this.#post({ type: "lock", locked });
  }

  /** Coordinator: a phone is to leave at once, and has to ask if it comes back. */
  remove(identity: Identity): void {
    this.#post({ type: "remove", identity });
  }

  /** This phone may have come into another network: its links and its socket want another way. */
  networkChanged(): void {
    this.#post({ type: "network" });
  }

  /** Lets the others take over this phone's part, if they can; null takes it back. */
  away(why: AwayReason | null): void {
    this.#post({ type: "away", why });
  }

  /** Shows a short code that others may type, and that brings what goes after the `#` of a link. See `view.code`. */
  offerCode(invitation: string): void {
    this.#post({ type: "offerCode", invitation });
  }

  withdrawCode(): void {
    this.#post({ type: "withdrawCode" });
  }

  /**
   * Asks the room, with one question or with the conversation that ends with it. The answer grows in `view.turns`.
   * Returns the turn's number.
   */
  ask(question: string | ChatMessage[], options: AskOptions): number {
    const messages = typeof question === "string" ? [{ role: "user" as const, content: question }] : question;
    const ask = ++this.#lastAsk;
    this.view.set(withTurn(this.view.value, ask, messages.at(-1)?.content ?? ""));
    this.#post({ type: "ask", ask, messages, options });
    return ask;
  }

  /** Forgets the turns on the screen, so that the next question begins a new conversation. */
  newConversation(): void {
    for (const turn of this.view.value.turns) if (!isOver(turn)) this.stop(turn.ask);
    this.view.set({ ...this.view.value, turns: [] });
  }

  /** The turn once its answer is complete or has failed. Rejects when the room is left before. */
  async finished(ask: number): Promise<Turn> {
    const find = (view: EngineView): Turn | undefined => view.turns.find((turn) => turn.ask === ask);
    const view = await this.view.when((now) => {
      const turn = find(now);
      return turn === undefined || isOver(turn);
    });
    const turn = find(view);
    if (!turn)
      throw new EngineFailure({ code: "room_gone", message: "the room was left before the answer came" });
    return turn;
  }

  /** Coordinator: counts a prompt's tokens, before anything is loaded. */
  check(prompt: string): Promise<PromptCheck> {
    const ask = ++this.#lastAsk;
    return new Promise((resolve, reject) => {
      const settle = (result: PromptCheck | EngineError): void => {
        clearTimeout(timer);
        this.#checks.delete(ask);
        if ("code" in result) reject(new EngineFailure(result));
        else resolve(result);
      };
      const late: EngineError = { code: "too_slow", message: "the prompt was not counted within a minute" };
      const timer = setTimeout(() => settle(late), CHECK_TIMEOUT_MS);
      this.#checks.set(ask, settle);
      this.#post({ type: "check", ask, prompt });
    });
  }

  stop(ask: number): void {
    this.#post({ type: "stop", ask });
  }

  leave(): void {
    this.#post({ type: "leave" });
    clearTimeout(this.#loadTimer);
    // The farewell needs a moment to reach the others; worker and connections hold nothing the next ones need.
    const [worker, rtc] = [this.#worker, this.#rtc];
    if (worker) {
      worker.onmessage = worker.onerror = worker.onmessageerror = null;
      setTimeout(() => {
        rtc?.closeAll();
        worker.terminate();
      }, 500);
    }
    this.#worker = null;
    this.#rtc = null;
    this.#endChecks({ code: "room_gone", message: "the room was left" });
    this.view.set(emptyView());
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromWorker): void {
    if (message.type === "loaded") clearTimeout(this.#loadTimer);
    if (message.type === "rtc") return void this.#rtc?.handle(message.command);
    if (message.type === "note") console.warn(message.message);
    if (message.type === "checked") this.#checks.get(message.ask)?.(message);
    if (message.type === "failed") this.#failCheck(message.ask, message.error);
    this.view.set(reduce(this.view.value, message));
  }

  #failCheck(ask: number | null, error: EngineError): void {
    if (ask === null) this.#endChecks(error);
    else this.#checks.get(ask)?.(error);
  }

  #endChecks(error: EngineError): void {
    for (const settle of [...this.#checks.values()]) settle(error);
  }

  #fail(code: EngineError["code"], message: string): void {
    clearTimeout(this.#loadTimer);
    this.#receive({ type: "failed", ask: null, error: { code, message } });
  }
}
