import type { Phone } from "./phone.ts";
import { STEP_LIMIT_MS } from "./tab.ts";
import { within } from "./waiting.ts";

/** The locks by which a page keeps the screen on. */
export interface ScreenLocks {
  /** Those that it was given so far, and those of them that it still has. */
  given: number;
  held: number;
  /** Those that are fakes, because the browser gave none. */
  fakes: number;
}

/**
 * What happens to a phone beside its page: another app comes in front, the battery runs low, the system takes back what
 * it gave. Headless browsers have no other apps, no battery of their own and no such system, so fakes in the page stand for
 * them; all that the page does about it is real.
 */
export class PhoneLife {
  private constructor(readonly phone: Phone) {}

  /** Before the page is opened. */
  static async fake(phone: Phone): Promise<PhoneLife> {
    // Browsers of people give the lock unasked; those of Playwright refuse what was not allowed.
    await phone.page.context().grantPermissions(["screen-wake-lock"]);
    for (const script of [watchScreenLocks, fakeFront, fakeBattery]) await phone.page.addInitScript(script);
    return new PhoneLife(phone);
  }

  screenLocks(): Promise<ScreenLocks> {
    const locks = this.phone.page.evaluate(() => window.screenLocks());
    return this.#step("its screen locks", locks);
  }

  /** The system takes the locks of the page back. */
  takeScreenLocks(): Promise<void> {
    const taken = this.phone.page.evaluate(() => window.takeScreenLocks());
    return this.#step("taking its screen locks back", taken);
  }

  /** Another app comes in front of the page, which loses its locks by that. */
  hide(): Promise<void> {
    const hidden = this.phone.page.evaluate(() => {
      window.setVisibility("hidden");
      return window.takeScreenLocks();
    });
    return this.#step("hiding its page", hidden);
  }

  /** The page is in front again. */
  show(): Promise<void> {
    const shown = this.phone.page.evaluate(() => window.setVisibility("visible"));
    return this.#step("showing its page", shown);
  }

  /** The battery is as full as this, 0 to 1, and nothing charges it. */
  setBattery(level: number): Promise<void> {
    const set = this.phone.page.evaluate((to) => window.setBattery(to), level);
    return this.#step("setting its battery", set);
  }

  #step<T>(what: string, promise: Promise<T>): Promise<T> {
    return within(STEP_LIMIT_MS, `${this.phone.name}: ${what}`, promise);
  }
}

/**
 * Counts the browser's locks, hands out fakes where it gives none, and ends them as the system does: a lock that is
 * released behind the page's back is to the page one that was taken from it. Runs in the page, as those below do, and
 * must not use anything from around it.
 */
function watchScreenLocks(): void {
  type Lock = EventTarget & { released: boolean; release: () => Promise<void> };
  const browser = navigator.wakeLock;
  const locks: Lock[] = [];
  let fakes = 0;
  const fake = (): Lock => {
    fakes += 1;
    const release = async (): Promise<void> => {
      if (lock.released) return;
      lock.released = true;
      lock.dispatchEvent(new Event("release"));
    };
    const lock: Lock = Object.assign(new EventTarget(), { released: false, release });
    return lock;
  };
  const request = async (): Promise<Lock> => {
    const lock: Lock = await browser.request("screen").catch(fake);
    locks.push(lock);
    return lock;
  };
  const held = (): Lock[] => locks.filter((lock) => !lock.released);
  Object.defineProperty(navigator, "wakeLock", { value: { request } });
  window.screenLocks = () => ({ given: locks.length, held: held().length, fakes });
  window.takeScreenLocks = async () => {
    for (const lock of held()) await lock.release();
  };
}

function fakeFront(): void {
  let visibility: DocumentVisibilityState = "visible";
  Object.defineProperty(document, "visibilityState", { get: () => visibility });
  Object.defineProperty(document, "hidden", { get: () => visibility === "hidden" });
  window.setVisibility = (to) => {
    visibility = to;
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  };
}

function fakeBattery(): void {
  const battery = Object.assign(new EventTarget(), { level: 1, charging: false });
  Object.defineProperty(navigator, "getBattery", { value: async () => battery });
  window.setBattery = (to) => {
    battery.level = to;
    battery.dispatchEvent(new Event("levelchange"));
  };
}
