import type {
  AnswerStats,
  ChatMessage,
  CodeView,
  EngineError,
  FromWorker,
  RememberedBy,
  RoomView,
} from "./messages.ts";

/** Everything the screen shows, as one value. Changed only by the functions below. */
export interface EngineView {
  status: "idle" | "loading" | "in_room";
  room: RoomView | null;
  /** What goes after the `#` of the link that others open. */
  invitation: string | null;
  /** The short code that this phone shows. */
  code: CodeView | null;
  /** Oldest first; at most `TURNS_KEPT`. */
  turns: Turn[];
  /** Whether the server brings nobody in for now; null until it has said something, or could not be reached. */
  isServerAway: boolean | null;
  /** What went wrong with the room, not with one answer. */
  error: EngineError | null;
  /** What a person should know though it stopped nothing. */
  warning: string | null;
  /** The phone that started the room, once it remembers this one. */
  remembered: RememberedBy | null;
}

/** One question and its answer, as far as it has come. */
export type Turn = { ask: number; prompt: string; text: string } & TurnState;

export type TurnState =
  | { state: "waiting" | "streaming" }
  | { state: "done"; stats: AnswerStats }
  | { state: "failed"; error: EngineError };

export const TURNS_KEPT = 100;

export function emptyView(): EngineView {
  const nothing = { room: null, invitation: null, code: null, error: null, warning: null, remembered: null };
  return { status: "idle", turns: [], isServerAway: null, ...nothing };
}

export function isOver(turn: Turn): boolean {
  return turn.state === "done" || turn.state === "failed";
}

export function withTurn(view: EngineView, ask: number, prompt: string): EngineView {
  const turn: Turn = { ask, prompt, text: "", state: "waiting" };
  return { ...view, turns: [...view.turns, turn].slice(-TURNS_KEPT) };
}

/** The conversation so far and a question more. Questions without an answer are no part of it. */
export function conversation(turns: Turn[], question: string): ChatMessage[] {
  const answered = turns.filter((turn) => turn.state === "done");
  const said = answered.flatMap((turn): ChatMessage[] => [
    { role: "user", content: turn.prompt },
    { role: "assistant", content: turn.text },
  ]);
  return [...said, { role: "user", content: question }];
}

/** The view after a message from the engine. Messages that change nothing on screen return the same object. */
export function reduce(view: EngineView, message: FromWorker): EngineView {
  switch (message.type) {
    case "loaded":
      return { ...view, status: "in_room" };
    case "room":
      return { ...view, room: message.room };
    case "invitation":
      return { ...view, invitation: message.fragment };
    case "code":
      return { ...view, code: message.code };
    case "remembered": {
      const { type: _, ...remembered } = message;
      return { ...view, remembered };
    }
    case "text":
      return changeTurn(view, message.ask, (turn) => appended(turn, message.delta));
    case "done":
      return changeTurn(view, message.ask, (turn) => ended(turn, { state: "done", stats: message.stats }));
    case "failed":
      return failed(view, message.ask, message.error);
    case "warning":
      return { ...view, warning: message.message };
    case "server":
      return view.isServerAway === !message.isThere ? view : { ...view, isServerAway: !message.isThere };
    case "checked":
    case "planned":
    case "redeemed":
    case "redeemFailed":
    case "note":
    case "rtc":
      return view;
  }
}

function failed(view: EngineView, ask: number | null, error: EngineError): EngineView {
  if (ask !== null) return changeTurn(view, ask, (turn) => ended(turn, { state: "failed", error }));
  // No answer outlives its room.
  const turns = view.turns.map((turn) => (isOver(turn) ? turn : ended(turn, { state: "failed", error })));
  return { ...view, error, turns };
}

function appended(turn: Turn, delta: string): Turn {
  if (isOver(turn)) return turn;
  return { ask: turn.ask, prompt: turn.prompt, text: turn.text + delta, state: "streaming" };
}

function ended(turn: Turn, state: TurnState): Turn {
  return { ask: turn.ask, prompt: turn.prompt, text: turn.text, ...state };
}

function changeTurn(view: EngineView, ask: number, change: (turn: Turn) => Turn): EngineView {
  return { ...view, turns: view.turns.map((turn) => (turn.ask === ask ? change(turn) : turn)) };
}
