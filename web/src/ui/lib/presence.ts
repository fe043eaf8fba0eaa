import type { AwayReason } from "../../engine/messages.ts";

/** Below this a phone soon saves energy, and then turns off. */
const LOW_BATTERY = 0.15;

/** Somebody who looks at another app for less is not away. */
const GLANCE_MS = 2000;

/** What Chrome tells of the battery; not every browser does. */
interface Battery extends EventTarget {
  level: number;
  charging: boolean;
}

/**
 * Tells when this phone had better have nothing to do, and when it may again, until the returned function is called:
 * Android freezes a hidden page after a minute.
 */
export function watchPresence(tell: (why: AwayReason | null) => void): () => void {
  let battery: Battery | undefined;
  let told: AwayReason | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (why: AwayReason | null): void => {
    clearTimeout(timer);
    if (why !== told) tell((told = why));
  };
  const look = (): void => {
    const why = reasonOf(document.visibilityState, battery);
    if (why !== "hidden") return say(why);
    clearTimeout(timer);
    timer = setTimeout(() => say(why), GLANCE_MS);
  };
  document.addEventListener("visibilitychange", look);
  const ask = (navigator as { getBattery?: () => Promise<Battery> }).getBattery;
  void ask?.call(navigator).then(
    (found) => {
      battery = found;
      for (const change of ["levelchange", "chargingchange"]) found.addEventListener(change, look);
      look();
    },
    () => {},
  );
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
    for (const change of ["levelchange", "chargingchange"]) battery?.removeEventListener(change, look);
  };
}

export function reasonOf(
  visibility: DocumentVisibilityState,
  battery: Pick<Battery, "level" | "charging"> | undefined,
): AwayReason | null {
  if (visibility === "hidden") return "hidden";
  return battery && !battery.charging && battery.level < LOW_BATTERY ? "low_battery" : null;
}
