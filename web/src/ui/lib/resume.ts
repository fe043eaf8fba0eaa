import type { Identity, StartConfig } from "../../engine/messages.ts";
import { isOver, type EngineView, type Turn } from "../../engine/view.ts";
import { secretOf } from "../../query.ts";
import type { TabKeeper } from "./keeping.ts";

/** A room that this tab has started, and what was said in it: enough to go on after the page was loaded anew. */
export interface SavedRoom {
  config: StartConfig;
  turns: Turn[];
  /** It has the phone's home, which one tab has at a time; a tab that was duplicated has only what is kept here. */
  isAtHome: boolean;
}

/** What is not in the view. */
type Known = Pick<SavedRoom, "config" | "isAtHome"> & {
  /** Who is remembered at this moment: whoever is not any more when the room goes on has to ask. */
  trusted: Identity[];
};

/** In the tab's own storage: other tabs know nothing of it, and it goes with the tab. */
const KEY = "lingualinked.room";

export function remember(store: TabKeeper | null, known: Known, view: EngineView): void {
  const { config, isAtHome, trusted } = known;
  if (view.invitation === null) return;
  const { locked, admitted } = view.room?.door ?? config.door;
  const saved: SavedRoom = {
    config: {
      ...config,
      secret: secretOf(view.invitation),
      reopens: true,
      door: { ...config.door, locked, admitted, trusted },
    },
    isAtHome,
    turns: view.turns,
  };
  try {
    store?.setItem(KEY, JSON.stringify(saved));
  } catch {
    // A private window may keep nothing. The room works all the same.
  }
}

export function forget(store: TabKeeper | null): void {
  store?.removeItem(KEY);
}

export function recall(store: TabKeeper | null): SavedRoom | null {
  try {
    const saved = JSON.parse(store?.getItem(KEY) ?? "null") as SavedRoom | null;
    return saved && { ...saved, turns: saved.turns.map(interrupted) };
  } catch {
    return null;
  }
}

/** An answer that was under way has what had come of it. */
function interrupted(turn: Turn): Turn {
  if (isOver(turn)) return turn;
  const error = {
    code: "room_gone",
    message: "The page was loaded anew before the answer was complete.",
  } as const;
  return { ask: turn.ask, prompt: turn.prompt, text: turn.text, state: "failed", error };
}
