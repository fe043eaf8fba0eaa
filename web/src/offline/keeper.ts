import { Store } from "../engine/store.ts";
import type { ToServiceWorker } from "./contract.ts";

/** The worker's answer to a question, or its taking over; it has nothing else to do. */
const ANSWER_TIMEOUT_MS = 5000;

/**
 * Keeps the page on this phone by the service worker, and tells when a newer one is there. A page without one, as in a
 * private window or behind a certificate that nobody vouches for, works as well, but not without its server.
 */
export class Keeper {
  /** A version that is not this page's is on the phone: loading the page anew brings it. */
  readonly hasNewer = new Store(false);
  #registration: ServiceWorkerRegistration | null = null;
  #isKeeping = false;

  /** `page` is the path of this page's script, by which its version is known. Insecure pages have no `container`. */
  constructor(
    private readonly page: string,
    private readonly container: ServiceWorkerContainer | undefined,
  ) {}

  /** This page is kept, is about to be, or may not be. */
  get isKeeping(): boolean {
    return this.#isKeeping;
  }

  /** From now on this page is kept, and looked for in newer versions. */
  async keep(): Promise<void> {
    if (this.#isKeeping || !this.container) {
      this.#tidy();
      return this.look();
    }
    this.#isKeeping = true;
    try {
      const registration = await this.container.register("/sw.js", { updateViaCache: "none" });
      this.#registration = registration;
      registration.addEventListener("updatefound", () => this.#watch(registration));
      this.container.addEventListener("controllerchange", () => void this.#compare(registration));
      this.#watch(registration);
      await this.#compare(registration);
      this.#tidy();
    } catch {
      // It is not allowed here.
    }
  }

  /** Asks the server for a newer version. */
  async look(): Promise<void> {
    // Without a way to the server there is none.
    await this.#registration?.update().catch(() => {});
  }

  /** Loads the newer version. */
  async reload(): Promise<void> {
    const waiting = this.#registration?.waiting;
    if (waiting) await this.#takeOver(waiting);
    location.reload();
  }

  #tidy(): void {
    const active = this.#registration?.active;
    if (active) tell(active, { ask: "tidy" });
  }

  #watch(registration: ServiceWorkerRegistration): void {
    registration.installing?.addEventListener("statechange", () => void this.#compare(registration));
  }

  async #compare(registration: ServiceWorkerRegistration): Promise<void> {
    const newest = registration.waiting ?? registration.active;
    if (!newest) return;
    const isOurs = await this.#has(newest, this.page);
    this.hasNewer.set(!isOurs);
    // The page came from the server, newer than the worker: now that it is kept, its own worker goes on.
    if (isOurs && newest === registration.waiting) tell(newest, { ask: "take over" });
  }

  /** No answer is no news. */
  #has(worker: ServiceWorker, path: string): Promise<boolean> {
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(true), ANSWER_TIMEOUT_MS);
      port1.onmessage = ({ data }: MessageEvent<boolean>) => {
        clearTimeout(timer);
        port1.close();
        resolve(data);
      };
      tell(worker, { ask: "has", path }, [port2]);
    });
  }

  #takeOver(waiting: ServiceWorker): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ANSWER_TIMEOUT_MS);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.container?.addEventListener("controllerchange", done, { once: true });
      tell(waiting, { ask: "take over" });
    });
  }
}

function tell(worker: ServiceWorker, message: ToServiceWorker, transfer: Transferable[] = []): void {
  worker.postMessage(message, transfer);
}
