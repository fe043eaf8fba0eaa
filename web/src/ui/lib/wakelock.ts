/** Whether the screen stays on by itself: yes, not now, or never in this browser. */
export type Awake = "held" | "refused" | "missing";

/** A lock that the system takes back is asked for again after this. */
const AGAIN_MS = 2000;

/**
 * Keeps the screen on until the returned function is called: Android freezes a hidden page after a minute, and with
 * it a part of the model. Browsers drop the lock when the page is hidden, so it is taken again on return. `tell` hears
 * how it stands, on every change.
 */
export function keepAwake(tell: (awake: Awake) => void): () => void {
  if (!("wakeLock" in navigator)) {
    tell("missing");
    return () => {};
  }
  let lock: WakeLockSentinel | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wanted = true;

  async function take(): Promise<void> {
    if (!wanted || document.visibilityState !== "visible") return;
    try {
      lock = await navigator.wakeLock.request("screen");
      if (!wanted) return await lock.release();
      lock.addEventListener("release", dropped);
      tell("held");
    } catch {
      // On a low battery, for instance. The room works all the same while somebody looks at it.
      tell("refused");
    }
  }

  function dropped(): void {
    if (!wanted) return;
    tell("refused");
    timer = setTimeout(() => void take(), AGAIN_MS);
  }

  const onVisible = (): void => void take();
  document.addEventListener("visibilitychange", onVisible);
  void take();
  return () => {
    wanted = false;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
    void lock?.release();
  };
}
