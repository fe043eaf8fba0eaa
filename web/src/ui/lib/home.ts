/**
 * What the rooms that this phone starts have in common: a secret, so that phones which it remembers find the next one, and
 * a key that tells its own invitations from others. The key never leaves this phone.
 */

import { SECRET } from "../../query.ts";
import { privateKeeper, type Keeper } from "./keeping.ts";

export interface Home {
  /** 32 bytes, base64url. */
  secret: string;
  /** 32 bytes, base64url. */
  ticketKey: string;
  /** Whether it is the same at the next visit; else it is good for one room. */
  isKept: boolean;
}

const KEY = "lingualinked.home";

/** The home that is kept, or a new one. */
export function home(keeper: Keeper | null = privateKeeper()): Home {
  return read(keeper) ?? newHome(keeper);
}

/** Another home: who knew the last one has to be invited again. */
export function newHome(keeper: Keeper | null = privateKeeper()): Home {
  const made = roomOnly();
  try {
    const { secret, ticketKey } = made;
    keeper?.setItem(KEY, JSON.stringify({ secret, ticketKey }));
  } catch {
    // Full, or forbidden.
  }
  return { ...made, isKept: read(keeper)?.secret === made.secret };
}

/** A home for one room, as where another tab of this page has a room open at the usual one. */
export function roomOnly(): Home {
  return { secret: randomSecret(), ticketKey: randomSecret(), isKept: false };
}

/**
 * What ends the invitations that were given out: another key, and another home where the room is at home. `secret` is where
 * phones that are remembered find this one from now on: the room itself, where there is no home that lasts.
 */
export function anotherCode(
  isAtHome: boolean,
  roomSecret: string,
  keeper: Keeper | null = privateKeeper(),
): Pick<Home, "secret" | "ticketKey"> {
  const next = isAtHome ? newHome(keeper) : home(keeper);
  return {
    secret: next.isKept ? next.secret : roomSecret,
    // The home of another tab keeps its invitations.
    ticketKey: isAtHome ? next.ticketKey : randomSecret(),
  };
}

function read(keeper: Keeper | null): Home | null {
  try {
    const found = JSON.parse(keeper?.getItem(KEY) ?? "null") as Partial<Home> | null;
    const { secret, ticketKey } = found ?? {};
    return isSecret(secret) && isSecret(ticketKey) ? { secret, ticketKey, isKept: true } : null;
  } catch {
    return null;
  }
}

/** What tabs of the page ask for, so that two rooms are not open at one home. */
type Locks = Pick<LockManager, "request">;

/**
 * Holds the home. Gives how to let it go, or null where another tab has it and keeps it for longer than `patienceMs`. A tab
 * that is gone holds nothing, but a page that is loaded anew may come before it has let go.
 */
export function holdHome(
  patienceMs = 0,
  locks: Locks | null = navigator.locks ?? null,
): Promise<(() => void) | null> {
  if (!locks) return Promise.resolve(() => {});
  return new Promise((resolve) => {
    const how = patienceMs > 0 ? { signal: AbortSignal.timeout(patienceMs) } : { ifAvailable: true };
    const held = async (): Promise<void> =>
      locks.request(KEY, how, (lock) => {
        if (lock) return new Promise<void>((leave) => resolve(leave));
        resolve(null);
        return undefined;
      });
    // No such locks here, as in a page without an origin: then it is the only one.
    held().catch((cause: unknown) => resolve(isLate(cause) ? null : () => {}));
  });
}

function isLate(cause: unknown): boolean {
  return cause instanceof DOMException && ["TimeoutError", "AbortError"].includes(cause.name);
}

/** 32 bytes, base64url. */
export function randomSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function isSecret(text: unknown): text is string {
  return typeof text === "string" && SECRET.test(text);
}
