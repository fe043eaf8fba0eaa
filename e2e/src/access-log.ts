/** What the server noted of its answers: a line of JSON each. */

import { readFileSync } from "node:fs";

import type { Span } from "./spans.ts";

export interface Access {
  time: string;
  method: string;
  /** Path and query. */
  uri: string;
  range: string | null;
  status: number;
  /** Bytes of the body that were really sent. */
  bytes: number;
}

export function readAccessLog(file: string): Access[] {
  const lines = readFileSync(file, "utf8").split("\n");
  // The last one is empty, or still being written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Access);
}

/** What one phone was given of a model file, as half-open byte ranges in the order of the log. */
export function spansOf(log: Access[], path: string, peer: string): Span[] {
  return log
    .filter(({ method, status }) => method === "GET" && status >= 200 && status < 300)
    .filter(({ uri }) => isFor(uri, path, peer))
    .map(spanOf);
}

/** Everybody who fetched parts of that file; phones name themselves in the query. */
export function peersOf(log: Access[], path: string): string[] {
  const urls = log.map(({ uri }) => new URL(uri, "http://server"));
  const peers = urls.filter((url) => url.pathname === path).map((url) => url.searchParams.get("peer") ?? "");
  return [...new Set(peers)].sort();
}

function isFor(uri: string, path: string, peer: string): boolean {
  const url = new URL(uri, "http://server");
  return url.pathname === path && url.searchParams.get("peer") === peer;
}

function spanOf(access: Access): Span {
  if (access.range === null) return { start: 0, end: access.bytes };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(access.range) ?? [];
  if (first === undefined) throw new Error(`a range that is not understood: ${access.range}`);
  const start = Number(first);
  // The server cuts a range at the file's end; an answer that was given up sent fewer bytes than were asked for.
  const end = last ? Number(last) + 1 : start + access.bytes;
  return { start, end };
}
