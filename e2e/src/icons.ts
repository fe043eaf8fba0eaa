/**
 * Draws the app's icons from `web/public/icon.svg` into `web/public/icons/`, which are checked in: `npx tsx src/icons.ts`
 * after the drawing was changed. As drawn, and with its colour to the edges for systems that cut icons to their own shape:
 * what matters is within the middle four fifths, which all of them show.
 */

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";

import { capture } from "./capture.ts";
import { launchBrowser } from "./chromium.ts";
import { HERE } from "./settings.ts";

const PUBLIC = join(HERE, "..", "web", "public");
const DRAWING = readFileSync(join(PUBLIC, "icon.svg"), "utf8");
const FILLED = DRAWING.replace(/ rx="14"/, "");

const ICONS: [string, string, number][] = [
  ["any-192", DRAWING, 192],
  ["any-512", DRAWING, 512],
  ["maskable-192", FILLED, 192],
  ["maskable-512", FILLED, 512],
  ["apple-180", FILLED, 180],
];

async function draw(browser: Browser, name: string, drawing: string, pixels: number): Promise<void> {
  const page = await browser.newPage({ viewport: { width: pixels, height: pixels } });
  await page.setContent(`<style>body { margin: 0 } svg { display: block; width: 100vw }</style>${drawing}`);
  await capture(page, { path: join(PUBLIC, "icons", `${name}.png`), omitBackground: true });
  await page.close();
}

if (FILLED === DRAWING) throw new Error("the drawing's background has other corners than it had");
mkdirSync(join(PUBLIC, "icons"), { recursive: true });
const browser = await launchBrowser({ hasGpu: false });
try {
  for (const [name, drawing, pixels] of ICONS) await draw(browser, name, drawing, pixels);
} finally {
  await browser.close();
}
