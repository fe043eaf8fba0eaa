/** What the service worker does with a request. */
export type Way =
  /** A person goes to the page. */
  | "page"
  /** A file whose name has its content's hash. */
  | "hashed"
  /** Another file of the page. */
  | "file"
  /** Nothing of ours: it goes where it would have gone. */
  | "none";

/** Never the page's own, whoever goes there: what the server says, and models, which the engine keeps by itself. */
const ELSEWHERE = /^\/(api|models|signal|metrics|healthz)(\/|$)/;

export interface Asked {
  url: string;
  method: string;
  mode: string;
}

/** `files` are the paths that are kept. */
export function wayOf(request: Asked, origin: string, files: ReadonlySet<string>): Way {
  const url = new URL(request.url);
  if (url.origin !== origin || request.method !== "GET" || ELSEWHERE.test(url.pathname)) return "none";
  if (request.mode === "navigate") return files.has(url.pathname) && !isPage(url.pathname) ? "file" : "page";
  if (isHashed(url.pathname)) return "hashed";
  return files.has(url.pathname) ? "file" : "none";
}

export function isHashed(path: string): boolean {
  return path.startsWith("/assets/");
}

function isPage(path: string): boolean {
  return path === "/" || path === "/index.html";
}
