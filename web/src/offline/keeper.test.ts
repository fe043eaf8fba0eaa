import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { ToServiceWorker } from "./contract.ts";
import { Keeper } from "./keeper.ts";

const OURS = "/assets/index-ours.js";
const OTHERS = "/assets/index-other.js";

/** A service worker of a version with this script. */
class Version {
  readonly asked: string[] = [];
  constructor(private readonly script: string) {}

  postMessage(message: ToServiceWorker, [port]: MessagePort[] = []): void {
    this.asked.push(message.ask);
    if (message.ask === "has") port?.postMessage(message.path === this.script);
  }
}

class Registration extends EventTarget {
  installing = null;
  waiting: Version | null = null;
  active: Version | null = null;
  update = vi.fn(() => Promise.reject(new TypeError("no way to the server")));
}

class Container extends EventTarget {
  readonly registration = new Registration();
  register = vi.fn(() => Promise.resolve(this.registration));
}

const reload = vi.fn();
beforeEach(() => vi.stubGlobal("location", { reload }));
afterEach(() => {
  vi.unstubAllGlobals();
  reload.mockClear();
});

function keeper(container: Container): Keeper {
  return new Keeper(OURS, container as unknown as ServiceWorkerContainer);
}

test("a page that is kept, and its own version, are no news", async () => {
  const container = new Container();
  const kept = keeper(container);
  expect(kept.isKeeping).toBe(false);
  await kept.keep();
  expect(kept.isKeeping).toBe(true);
  expect(container.register).toHaveBeenCalledWith("/sw.js", { updateViaCache: "none" });
  container.registration.active = new Version(OURS);
  container.dispatchEvent(new Event("controllerchange"));
  await vi.waitFor(() => expect(container.registration.active?.asked).toEqual(["has"]));
  expect(kept.hasNewer.value).toBe(false);
});

test("another version that waits is told, and takes over when the page is loaded anew", async () => {
  const container = new Container();
  const waiting = (container.registration.waiting = new Version(OTHERS));
  container.registration.active = new Version(OURS);
  const kept = keeper(container);
  await kept.keep();
  expect(kept.hasNewer.value).toBe(true);
  expect(waiting.asked).toEqual(["has"]);
  const reloading = kept.reload();
  expect(waiting.asked).toEqual(["has", "take over"]);
  expect(reload).not.toHaveBeenCalled();
  container.dispatchEvent(new Event("controllerchange"));
  await reloading;
  expect(reload).toHaveBeenCalledTimes(1);
});

test("what earlier versions kept goes when a page that is loaded asks for it", async () => {
  const container = new Container();
  const active = (container.registration.active = new Version(OURS));
  await keeper(container).keep();
  expect(active.asked).toEqual(["has", "tidy"]);
});

test("a page that is as new as the version that waits lets it take over", async () => {
  const container = new Container();
  const waiting = (container.registration.waiting = new Version(OURS));
  container.registration.active = new Version(OTHERS);
  const kept = keeper(container);
  await kept.keep();
  expect(waiting.asked).toEqual(["has", "take over"]);
  expect(kept.hasNewer.value).toBe(false);
});

test("where it is not allowed, or the server is away, nothing is wrong", async () => {
  const container = new Container();
  container.register.mockRejectedValueOnce(new DOMException("", "SecurityError"));
  await keeper(container).keep();
  const kept = keeper(container);
  await kept.keep();
  await kept.look();
  expect(container.registration.update).toHaveBeenCalledTimes(1);
  await new Keeper(OURS, undefined).keep();
});
