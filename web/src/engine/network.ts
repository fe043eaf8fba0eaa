/** What a browser tells of the network that this phone is in. */

/** Several events tell of one change; they come within this time. */
const SETTLE_MS = 150;

/** What Chrome for Android tells; other browsers have no such thing, or no kind of network in it. */
interface Connection extends EventTarget {
  type?: string;
}

/**
 * Tells when this phone may have come into another network, until the returned function is called. Not every change is
 * told to a page: what is not shows by links that are disconnected.
 */
export function watchNetwork(tell: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const settle = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (navigator.onLine) tell();
    }, SETTLE_MS);
  };
  const { connection } = navigator as { connection?: Connection };
  let kind = connection?.type;
  // The event also comes when the browser guesses another speed.
  const look = (): void => {
    if (connection?.type === kind) return;
    kind = connection?.type;
    settle();
  };
  addEventListener("online", settle);
  connection?.addEventListener("change", look);
  return () => {
    clearTimeout(timer);
    removeEventListener("online", settle);
    connection?.removeEventListener("change", look);
  };
}
