import { expect, test } from "@playwright/test";
import { PNG } from "pngjs";

import { qrCode } from "../../../web/src/ui/lib/qr.ts";
import { address } from "../../src/address.ts";
import { capture } from "../../src/capture.ts";
import { launchBrowser, launchChromium } from "../../src/chromium.ts";
import { sideBySide } from "../../src/picture.ts";
import { readQr } from "../../src/qr.ts";
import { withSite } from "./site.ts";

const page = { "index.html": "<!doctype html><meta name=viewport content='width=device-width'><p>A page" };

test("phones are processes of their own, as large as the phones they stand for", async () => {
  await withSite(page, async (server) => {
    const phones = await Promise.all([launchChromium("Pixel 7"), launchChromium("Galaxy S9+")]);
    try {
      await Promise.all(phones.map((phone) => phone.open(server.url)));
      const widths = phones.map((phone) => phone.page.evaluate(() => innerWidth));
      expect(await Promise.all(widths)).toEqual([412, 320]);
      const processes = phones.map(async (phone) => {
        const session = await phone.page.context().browser()?.newBrowserCDPSession();
        const { processInfo } = (await session?.send("SystemInfo.getProcessInfo")) ?? { processInfo: [] };
        return processInfo.find(({ type }) => type === "browser")?.id;
      });
      const [one, other] = await Promise.all(processes);
      expect(one).toBeGreaterThan(0);
      expect(other).not.toBe(one);
      // Nothing that one keeps is the other's.
      await phones[0]?.page.evaluate(() => localStorage.setItem("key", "mine"));
      expect(await phones[1]?.page.evaluate(() => localStorage.getItem("key"))).toBe(null);
    } finally {
      await Promise.all(phones.map((phone) => phone.close()));
    }
  });
});

for (const hasGpu of [true, false]) {
  test(`a phone has ${hasGpu ? "" : "no "}WebGPU in its workers`, async () => {
    await withSite(page, async (server) => {
      const phone = await launchChromium("Pixel 7", { hasGpu });
      try {
        await phone.open(server.url);
        expect(await phone.page.evaluate(hasAdapterInWorker)).toBe(hasGpu);
      } finally {
        await phone.close();
      }
    });
  });
}

test("errors that nobody catches are kept, from workers too", async () => {
  await withSite(page, async (server) => {
    const phone = await launchChromium("Pixel 7");
    try {
      await phone.open(server.url);
      await phone.page.evaluate(() => void setTimeout(() => void Promise.reject(new Error("from the page"))));
      await phone.page.evaluate(() => {
        const code = "setTimeout(() => { throw new Error('from a worker') })";
        new Worker(URL.createObjectURL(new Blob([code])));
      });
      await expect.poll(() => phone.uncaught.join("\n")).toMatch(/from a worker/);
      expect(phone.uncaught.join("\n")).toMatch(/from the page/);
    } finally {
      await phone.close();
    }
  });
});

test("the QR code is read from a picture of the screen", async () => {
  const link = `http://127.0.0.1:40123/#${"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"}`;
  const { size, path } = qrCode(link);
  const svg = `<svg viewBox="0 0 ${size} ${size}" width="240"><rect width="${size}" height="${size}" fill="#fff"/>
    <path d="${path}" fill="#000"/></svg>`;
  const browser = await launchBrowser();
  try {
    const screen = await browser.newPage({ viewport: { width: 412, height: 839 }, deviceScaleFactor: 2.625 });
    await screen.setContent(
      `<body style="background:#123"><h1>Scan</h1>${svg}<p>${link.replace("q", "x")}</p>`,
    );
    expect(readQr(await capture(screen))).toBe(link);
    await screen.setContent("<p>Nothing here");
    expect(readQr(await capture(screen))).toBe(null);
  } finally {
    await browser.close();
  }
});

test("pictures stand side by side", async () => {
  const browser = await launchBrowser();
  try {
    const screen = await browser.newPage({ viewport: { width: 100, height: 200 } });
    const png = await capture(screen);
    const picture = (count: number): Promise<Buffer> =>
      sideBySide(
        browser,
        Array.from({ length: count }, () => ({ caption: "<Pixel>", png })),
      );
    const [one, three] = [PNG.sync.read(await picture(1)), PNG.sync.read(await picture(3))];
    expect(three.width).toBeGreaterThan(2.5 * one.width);
    expect(three.height).toBe(one.height);
  } finally {
    await browser.close();
  }
});

test("a phone's wishes stand in its address", () => {
  expect(address("http://a/", {})).toBe("http://a/");
  const query = { model: "/models/m.gguf", pledge: "share:1.3:3", name: "Pixel 7" };
  const { searchParams } = new URL(address("http://a", query));
  expect(Object.fromEntries(searchParams)).toEqual(query);
});

/** Runs in the page. */
function hasAdapterInWorker(): Promise<boolean> {
  const code = "navigator.gpu.requestAdapter().then((adapter) => postMessage(adapter !== null))";
  const worker = new Worker(URL.createObjectURL(new Blob([code])));
  return new Promise((resolve) => (worker.onmessage = ({ data }: MessageEvent<boolean>) => resolve(data)));
}
