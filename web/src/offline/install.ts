import { Store } from "../engine/store.ts";

/** Chrome's offer to put the page among the phone's apps; no other browser makes it. */
interface InstallEvent extends Event {
  prompt(): Promise<unknown>;
}

/** Asks the person, by the browser's own question; null while the browser offers nothing. */
export type Install = (() => Promise<void>) | null;

/** From the beginning, since the browser makes the offer once. */
export function watchInstall(target: EventTarget = window): Store<Install> {
  const offered = new Store<Install>(null);
  target.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    offered.set(async () => {
      // It can be asked once.
      offered.set(null);
      await (event as InstallEvent).prompt();
    });
  });
  target.addEventListener("appinstalled", () => offered.set(null));
  return offered;
}
