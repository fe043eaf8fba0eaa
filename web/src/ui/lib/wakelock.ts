/**
 * Keeps the screen on until the returned function is called: Android freezes a hidden page after a minute, and with
 * it a part of the model. Browsers drop the lock when the page is hidden, so it is taken again on return.
 */
export function keepAwake(): () => void {
  let lock: WakeLockSentinel | undefined;
  let wanted = true;
  const take = async (): Promise<void> => {
    if (!wanted || document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
    try {
      lock = await navigator.wakeLock.request("screen");
      if (!wanted) await lock.release();
    } catch {
      // Refused, for instance on a low battery. The room works all the same while somebody looks at it.
    }
  };
  const onVisible = (): void => void take();
  document.addEventListener("visibilitychange", onVisible);
  void take();
  return () => {
    wanted = false;
    document.removeEventListener("visibilitychange", onVisible);
    void lock?.release();
  };
}
