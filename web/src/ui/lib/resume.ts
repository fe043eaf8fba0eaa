import type { StartConfig } from "../../engine/messages.ts";
import { isOver, type EngineView, type Turn } from "../../engine/view.ts";

/** A room that this tab has started, and what was said in it: enough to go on after the page was loaded anew. */
export interface SavedRoom {
  config: StartConfig;
  turns: Turn[];
}

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** In the tab's own storage: other tabs know nothing of it, and it goes with the tab. */
const KEY = "lingualinked.room";

export function remember(store: Store, config: StartConfig, view: EngineView): void {
  if (view.invitation === null) return;
  const saved: SavedRoom = {
    config: { ...config, secret: view.invitation, reopens: true },
    turns: view.turns,
  };
  try {
    store.setItem(KEY, JSON.stringify(saved));
  } catch {
    // A private window may keep nothing. The room works all the same.
  }
}

export function forget(store: Store): void {
  store.removeItem(KEY);
}

export function recall(store: Store): SavedRoom | null {
  try {
    const saved = JSON.parse(store.getItem(KEY) ?? "null") as SavedRoom | null;
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
