/** Short lists of phones that are kept on this one between visits. */

import { Store } from "../../engine/store.ts";

/** The part of the browser's storage that is used here; a scripted one in tests. */
export type Keeper = Pick<Storage, "getItem" | "setItem">;
export type TabKeeper = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** A phone, by the fingerprint of its certificate. */
export interface Known {
  /** SHA-256 of its certificate: 64 hexadecimal digits. */
  identity: string;
  /** As its owner calls it. */
  name: string;
  /** When it was last here, in milliseconds since 1970. */
  seenMs: number;
}

/** Where a list is kept, and how much of it. */
interface Shelf<T extends Known> {
  key: string;
  /** Of more, those that were not seen for longest go, and none that is spared. */
  most: number;
  /** Whether something is of this kind: what is kept may be of another version, or somebody else's. */
  isOne: (found: T) => boolean;
}

/**
 * A list of phones, the latest first. Where the browser keeps nothing, as in some private windows, it lasts as long as the
 * page. Other tabs of the page have the same list, so it is read anew before it is changed.
 */
export class KeptList<T extends Known> {
  readonly items: Store<T[]>;
  /** Identities of phones that are here. */
  spared: string[] = [];
  /** What is kept could not be written, and is older than the list. */
  #isBehind = false;

  constructor(
    private readonly shelf: Shelf<T>,
    private readonly keeper: Keeper | null = privateKeeper(),
  ) {
    this.items = new Store<T[]>([]);
    this.refresh();
  }

  get(identity: string): T | undefined {
    return this.items.value.find((item) => item.identity === identity);
  }

  /** Keeps a phone, in place of what was kept of it. */
  put(item: T): void {
    this.#change((items) => [item, ...items.filter(({ identity }) => identity !== item.identity)]);
  }

  /** Changes what is kept of a phone; nothing where nothing is. */
  change(identity: string, part: Partial<Omit<T, "identity">>): void {
    this.#change((items) => items.map((item) => (item.identity === identity ? { ...item, ...part } : item)));
  }

  remove(identity: string): void {
    this.#change((items) => items.filter((item) => item.identity !== identity));
  }

  /** Looks again, after another tab has changed it. */
  refresh(): void {
    this.items.set(this.#latest());
  }

  #change(change: (items: T[]) => T[]): void {
    const items = this.#inOrder(change(this.#latest()));
    try {
      this.keeper?.setItem(this.shelf.key, JSON.stringify(items));
      this.#isBehind = false;
    } catch {
      // Full, or forbidden: then it is as long as the page.
      this.#isBehind = true;
    }
    this.items.set(items);
  }

  #latest(): T[] {
    return (this.#isBehind ? null : this.#read()) ?? this.items.value;
  }

  /** Null where nothing can be read. */
  #read(): T[] | null {
    try {
      const text = this.keeper?.getItem(this.shelf.key) ?? null;
      const found = text === null ? null : (JSON.parse(text) as unknown);
      return Array.isArray(found) ? this.#inOrder((found as T[]).filter(this.#isOne)) : null;
    } catch {
      return null;
    }
  }

  readonly #isOne = (found: T): boolean =>
    typeof found === "object" &&
    found !== null &&
    isIdentity(found.identity) &&
    typeof found.name === "string" &&
    Number.isFinite(found.seenMs) &&
    this.shelf.isOne(found);

  #inOrder(items: T[]): T[] {
    const latest = (some: T[]): T[] => some.sort((a, b) => b.seenMs - a.seenMs);
    const isSpared = ({ identity }: T): boolean => this.spared.includes(identity);
    const [spared, others] = [items.filter(isSpared), items.filter((item) => !isSpared(item))];
    return latest([...spared, ...latest(others)].slice(0, this.shelf.most));
  }
}

export function isIdentity(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
}

/** The browser's storage for this page; null where even asking for it is forbidden. */
export function privateKeeper(): Keeper | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}

/** What this tab keeps for as long as it is open, over reloads; null where that is forbidden. */
export function tabKeeper(): TabKeeper | null {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
