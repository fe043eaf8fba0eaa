/**
 * The driver of `cargo xtask bench slices`: frames over a data channel between two workers, cut into messages of several
 * sizes, with the queue that a link keeps; and what a small frame takes that is sent behind a large one. Options come as
 * one JSON object by standard input; standard output has a table, and the result as its last line.
 */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";

import { launchBrowser } from "../chromium.ts";
import { drive } from "../driver.ts";
import { median } from "./report.ts";

interface Options {
  rounds: number;
}

/** How frames are sent. */
interface Way {
  slice_bytes: number;
  /** What waits in the channel at most. */
  queue_bytes: number;
}

/** Medians over the rounds. */
interface Row extends Way {
  /** From its sending to its last byte's arrival, for each of `FRAME_BYTES`. */
  frame_ms: number[];
  /** Of 64 bytes sent behind the largest frame, from their sending to their arrival. */
  behind_ms: number;
}

interface Found {
  frame_bytes: readonly number[];
  rows: Row[];
}

async function bench({ rounds }: Options): Promise<Found> {
  const html = `<!doctype html><script>${readFileSync(PAGE, "utf8")}</script>`;
  const http = createServer((_, answer) => answer.setHeader("content-type", "text/html").end(html));
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`);
    const tried: Row[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const way of WAYS) tried.push(await trial(page, way));
    }
    return { frame_bytes: FRAME_BYTES, rows: WAYS.map((way) => medians(way, tried)) };
  } finally {
    await browser.close();
    http.close();
  }
}

/** A new channel, and what frames take over it. */
async function trial(page: Page, way: Way): Promise<Row> {
  const frames = [...FRAME_BYTES.flatMap((bytes) => Array<number>(FRAMES).fill(bytes))];
  const took = await page.evaluate((how) => window.sendFrames(how), {
    sliceBytes: way.slice_bytes,
    queueBytes: way.queue_bytes,
    frames,
  });
  const middle = (times: number[]): number => median(times) ?? NaN;
  return {
    ...way,
    frame_ms: FRAME_BYTES.map((_, at) => middle(took.frames.slice(at * FRAMES, (at + 1) * FRAMES))),
    behind_ms: middle(took.behind),
  };
}

function medians(way: Way, tried: Row[]): Row {
  const rows = tried.filter(
    (row) => row.slice_bytes === way.slice_bytes && row.queue_bytes === way.queue_bytes,
  );
  const middle = (of: (row: Row) => number): number => median(rows.map(of)) ?? NaN;
  return {
    ...way,
    frame_ms: FRAME_BYTES.map((_, at) => middle(({ frame_ms }) => frame_ms[at] ?? NaN)),
    behind_ms: middle(({ behind_ms }) => behind_ms),
  };
}

async function main(text: string): Promise<void> {
  const found = await bench(JSON.parse(text) as Options);
  for (const { slice_bytes, queue_bytes, frame_ms, behind_ms } of found.rows) {
    const frames = frame_ms.map((ms, at) => `${kib(FRAME_BYTES[at])} in ${ms.toFixed(2)} ms`).join(", ");
    const behind = `64 bytes behind the last ${behind_ms.toFixed(2)} ms`;
    process.stdout.write(
      `messages of ${kib(slice_bytes)}, at most ${kib(queue_bytes)} queued: ${frames}; ${behind}\n`,
    );
  }
  process.stdout.write(`${JSON.stringify(found)}\n`);
}

const PAGE = new URL("page/slices.js", import.meta.url);
const kib = (bytes = NaN): string => `${bytes / 1024} KiB`;
/** Messages of several sizes with the queue that links keep, and other queues with their messages. */
const WAYS: Way[] = [
  ...[4.5, 16, 60, 250].map((size) => ({ slice_bytes: size * 1024, queue_bytes: 256 * 1024 })),
  ...[64, 1024].map((size) => ({ slice_bytes: 60 * 1024, queue_bytes: size * 1024 })),
];
/** A row of 2,048 floats, a chunk of such rows in halves, and the largest that is usual. */
const FRAME_BYTES = [8, 128, 1024].map((size) => size * 1024);
const FRAMES = 20;

drive(main);
