import { expect, test } from "@playwright/test";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright-core";

import { capture } from "../../src/capture.ts";
import { lanAddress } from "../../src/lan.ts";
import { readQr } from "../../src/qr.ts";
import type { Server } from "../../src/server.ts";
import { onPath, settings } from "../../src/settings.ts";
import { withSite } from "./site.ts";

const site = { "index.html": "<!doctype html><title>A page</title>" };
const host = lanAddress() ?? "127.0.0.1";
const ANDROID_STEPS = ["Settings", "Install a certificate", "CA certificate", "open LinguaLinked"];

test("a browser that was told to trust this machine shows the page without a warning", async () => {
  test.skip(
    onPath(["certutil"], process.env["PATH"]) === undefined,
    "certutil is not installed (Debian: libnss3-tools)",
  );
  await inHome(async (home) => {
    const state = join(home, "state");
    await withSite(
      site,
      async (server) => {
        await withPage(home, async (page) => {
          await expect(page.goto(server.url)).rejects.toThrow("ERR_CERT_AUTHORITY_INVALID");
        });
        trust("--install-ca=browsers", state, home);
        await withPage(home, async (page) => {
          await page.goto(server.url);
          expect(await page.title()).toBe("A page");
          expect(await page.evaluate(() => isSecureContext)).toBe(true);
        });
        trust("--remove-ca=browsers", state, home);
        await withPage(home, async (page) => {
          await expect(page.goto(server.url)).rejects.toThrow("ERR_CERT_AUTHORITY_INVALID");
        });
      },
      { host, hasTls: true, state },
    );
  });
});

test("whoever forgets https gets a page that explains, and the certificate", async ({}, testInfo) => {
  await inHome(async (home) => {
    await withSite(site, (server) => explained(server, home, testInfo.outputPath("page.png")), {
      host,
      hasTls: true,
    });
  });
});

test("its code brings another phone to the same page", async () => {
  test.skip(lanAddress() === undefined, "this machine has no address for others in its network");
  await inHome(async (home) => {
    await withSite(site, (server) => passedOn(server, home), { host, hasTls: true });
  });
});

async function explained(server: Server, home: string, picture: string): Promise<void> {
  const plain = server.url.replace("https:", "http:");
  await withPage(home, async (page) => {
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    await page.goto(plain);
    await capture(page, { path: picture, fullPage: true });
    const link = page.getByRole("link", { name: "Open LinguaLinked" });
    expect(await link.getAttribute("href")).toBe(`${server.url}/`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(wide).toBe(false);
    await expect(page.getByRole("heading", { name: "On Android", exact: true })).toBeVisible();
    // Those for other phones are folded away.
    await expect(page.getByRole("listitem")).toContainText(ANDROID_STEPS);
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download the certificate" }).click();
    expect((await download).suggestedFilename()).toBe("lingualinked.crt");
    const bytes = Buffer.from(await (await fetch(`${plain}/lingualinked.crt`)).arrayBuffer());
    await page.getByText("Is it the right one?").click();
    await expect(page.getByText(new X509Certificate(bytes).fingerprint256)).toBeVisible();
    expect(complaints).toEqual([]);
  });
}

async function passedOn(server: Server, home: string): Promise<void> {
  const plain = server.url.replace("https:", "http:");
  await withPage(home, async (page) => {
    await page.goto(plain);
    await page.getByRole("img", { name: "QR code of this page's address" }).scrollIntoViewIfNeeded();
    const scanned = readQr(await capture(page));
    expect(scanned).toBe(`${plain}/`);
    expect(scanned).toBe(page.url());
  });
}

function trust(option: string, state: string, home: string): void {
  execFileSync(settings().server, [option, "--state", state], { env: { ...process.env, HOME: home } });
}

async function inHome(run: (home: string) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "lingualinked-home-"));
  try {
    await run(home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** A page of the size of a phone's, in a browser of somebody with this home. */
async function withPage(home: string, run: (page: Page) => Promise<void>): Promise<void> {
  const browser = await chromium.launch({
    executablePath: settings().chromium,
    args: ["--no-sandbox"],
    env: { ...process.env, HOME: home } as Record<string, string>,
  });
  try {
    const context = await browser.newContext({ viewport: { width: 412, height: 915 } });
    await run(await context.newPage());
  } finally {
    await browser.close();
  }
}
