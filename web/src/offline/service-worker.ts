/**
 * Keeps the page on the phone: all files of one version, or none of it. The server goes first where it answers, so that
 * a page is as new as the server; without it the page is the one that is kept. Nothing else is ever kept here.
 */

import type { ToServiceWorker } from "./contract.ts";
import { isHashed, wayOf } from "./route.ts";

declare const self: ServiceWorkerGlobalScope;

/** The build writes it: path and SHA-256, as `integrity` has it, of every file of this version. */
const files = new Map(JSON.parse("__FILES__") as [string, string][]);
const paths = new Set(files.keys());

const PREFIX = "lingualinked-";
/** Its name has the hash of the list, and so of every file. */
const CACHE = `${PREFIX}__VERSION__`;
const PAGE = "/index.html";

/** A server that has not begun to answer by then is taken to be away. */
const PATIENCE_MS = 3000;
/** What is kept is good for every request: the server varies only how it is packed. */
const WHATEVER = { ignoreVary: true };
/** For one file, on a slow network. */
const FETCH_TIMEOUT_MS = 120_000;

self.addEventListener("install", (event) => event.waitUntil(keepAll()));
self.addEventListener("activate", (event) => event.waitUntil(begin()));

self.addEventListener("message", (event) => {
  const message = event.data as ToServiceWorker;
  if (message.ask === "has") event.ports[0]?.postMessage(paths.has(message.path));
  if (message.ask === "tidy") event.waitUntil(removeOthers(event.source));
  if (message.ask === "take over") void self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  switch (wayOf(request, self.location.origin, paths)) {
    case "page":
      return event.respondWith(fromServer(request, PAGE));
    case "file":
      return event.respondWith(fromServer(request, new URL(request.url).pathname));
    case "hashed":
      return event.respondWith(fromPhone(request));
    case "none":
      return;
  }
});

/** One after the other, so that whatever the page does meanwhile comes first. */
async function keepAll(): Promise<void> {
  const cache = await caches.open(CACHE);
  try {
    for (const [path, integrity] of files) await cache.put(path, await fetched(path, integrity));
  } catch (cause) {
    // The server has another version by now, or is gone: the next visit brings all of it.
    await caches.delete(CACHE);
    throw cause;
  }
}

/** The browser has most of what is hashed already. What it has may be damaged, and then the server is asked. */
async function fetched(path: string, integrity: string): Promise<Response> {
  const ask = async (cache: RequestCache): Promise<Response> => {
    const response = await fetch(path, { cache, integrity, signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response;
  };
  return isHashed(path) ? ask("default").catch(() => ask("reload")) : ask("reload");
}

async function begin(): Promise<void> {
  await self.clients.claim();
  await removeOthers();
}

/**
 * Earlier versions go once no other tab can be running one: a page that is only on its way is not among the tabs, so one
 * that is loaded asks.
 */
async function removeOthers(asker: ExtendableMessageEvent["source"] = null): Promise<void> {
  const tabs = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (asker && !tabs.some((tab) => tab === asker || ("id" in asker && tab.id === asker.id))) return;
  // A newer version that waits has its files already.
  if (tabs.length > 1 || self.registration.waiting || self.registration.installing) return;
  const isOther = (name: string): boolean => name.startsWith(PREFIX) && name !== CACHE;
  await Promise.all((await caches.keys()).filter(isOther).map((name) => caches.delete(name)));
}

/** What the server has now; else what is kept at `path`. */
async function fromServer(request: Request, path: string): Promise<Response> {
  const kept = await (await caches.open(CACHE)).match(path, WHATEVER);
  const answer = fetch(request);
  if (!kept) return answer;
  // A proxy answers for a server that is gone.
  const useful = answer.then((response) => (response.status < 500 ? response : kept));
  return Promise.race([useful, later(PATIENCE_MS, kept)]).catch(() => kept);
}

/** By its name it is the same in every version. */
async function fromPhone(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  return (await caches.match(pathname, WHATEVER)) ?? fetch(request);
}

function later<T>(ms: number, value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms));
}
