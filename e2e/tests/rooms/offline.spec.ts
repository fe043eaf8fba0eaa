/** The page is kept on the phone, and goes on without its server. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

import { address, type PhoneQuery } from "../../src/address.ts";
import { anotherVersion, mainScript } from "../../src/app-version.ts";
import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { settings } from "../../src/settings.ts";
import { STEP_LIMIT_MS } from "../../src/tab.ts";
import { expect, test as base } from "../fixtures.ts";

const test = base.extend<{ folder: string }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), "lingualinked-offline-"));
    await use(folder);
    rmSync(folder, { recursive: true });
  },
});

const PROMPT = "Once upon a time";
const TOKENS = 16;
const STALL_LIMIT_MS = 120_000;
/** The pauses between attempts to reach the server double, from a second on. */
const RETURN_LIMIT_MS = 90_000;
const QUERY: PhoneQuery = {
  pledge: "share:1.3:1",
  temperature: 0,
  tokens: TOKENS,
  wire: "f32",
  admit: "all",
};
/** Of a room that nobody started. */
const SECRET = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";

test.beforeEach(({ seats }) => {
  test.skip(seats === "android", "the server is stopped, and Chromium keeps pages in the same way");
});

test("one phone alone starts and answers without its server", async ({ launch, picture }) => {
  const server = await Server.start();
  const [phone] = (await launch(1, server)) as [Phone];
  await test.step("at the first visit the page and the model are kept", async () => {
    try {
      await visit(phone, server.url);
      await answers(phone);
      await phone.leave();
    } finally {
      await server.stop();
    }
  });
  await test.step("its start is there, with the kept model, and it answers", async () => {
    await phone.open(address(server.url, QUERY));
    await expect(phone.page.getByRole("alert")).toContainText("can be started on it alone");
    await phone.screenshot(picture("offline-start"));
    await answers(phone);
    await phone.leave();
  });
  await test.step("joining says that the server is away", async () => {
    await phone.join(`${server.url}/#${SECRET}`);
    const notice = phone.page.getByTestId("error");
    await expect(notice).toHaveAttribute("data-code", "server_unreachable", { timeout: STEP_LIMIT_MS });
    await expect(notice).toContainText("Joining others needs the server");
    await phone.screenshot(picture("offline-joining"));
  });
});

test("a room that was started without the server is joined once it is back", async ({ launch, picture }) => {
  const before = await Server.start();
  const [first, second] = (await launch(2, before)) as [Phone, Phone];
  try {
    await visit(first, before.url);
    await answers(first);
    await first.leave();
  } finally {
    await before.stop();
  }
  await first.open(address(before.url, { ...QUERY, pledge: "share:1.3:2" }));
  await begin(first);
  await expect(first.page.getByTestId("server-away")).toBeVisible({ timeout: STEP_LIMIT_MS });
  await expect(first.page.getByTestId("qr")).toHaveCount(0);
  await first.screenshot(picture("offline-invitation"));
  const after = await Server.start({ port: before.port });
  try {
    await expect(first.page.getByTestId("qr")).toBeVisible({ timeout: RETURN_LIMIT_MS });
    await second.join(await first.invitation(), { ...QUERY, pledge: "share:1.3:2" });
    await Promise.all([first, second].map((phone) => phone.meet(2)));
  } finally {
    await after.stop();
  }
});

test("a new version is told, and is there after the page was loaded anew", async ({
  launch,
  folder,
  picture,
}) => {
  const { app } = settings();
  anotherVersion(app, folder, "index-another.js");
  const before = await Server.start();
  const [phone] = (await launch(1, before)) as [Phone];
  try {
    await visit(phone, before.url);
  } finally {
    await before.stop();
  }
  const script = (): Promise<string> => phone.page.evaluate(mainScriptOfPage);
  expect(await script()).toBe(`/assets/${mainScript(app)}`);

  const after = await Server.start({ port: before.port, app: folder });
  try {
    // The phone comes back into the network.
    await phone.page.context().setOffline(true);
    await phone.page.context().setOffline(false);
    await expect(phone.page.getByTestId("newer")).toBeVisible({ timeout: STEP_LIMIT_MS });
    expect(await script()).toBe(`/assets/${mainScript(app)}`);
    await phone.screenshot(picture("offline-newer"));
    await phone.page.getByTestId("reload").click();
    // While the page is loaded anew there is none to ask.
    await expect.poll(() => script().catch(() => "")).toBe("/assets/index-another.js");
    await expect(phone.page.getByTestId("newer")).toHaveCount(0);
  } finally {
    await after.stop();
  }
  await phone.page.reload();
  await phone.page.getByTestId("start").waitFor();
  expect(await script()).toBe("/assets/index-another.js");
  // Of the version before nothing is left once the page has settled, and nothing else was ever kept.
  const old = `/assets/${mainScript(app)}`;
  await expect.poll(() => phone.page.evaluate(keptPaths), { timeout: STEP_LIMIT_MS }).not.toContain(old);
  const kept = await phone.page.evaluate(keptPaths);
  expect(kept.filter((path) => /^\/(api|models|signal)/.test(path))).toEqual([]);
  expect(kept).toContain("/index.html");
});

test("an invited phone keeps the page once it was let in, and nothing before", async ({ launch }) => {
  const server = await Server.start();
  const [first, second, third] = (await launch(3, server)) as [Phone, Phone, Phone];
  const guests = [second, third];
  try {
    await first.start(server.url, { ...QUERY, admit: "ask" });
    const link = new URL(await first.invitation());
    for (const guest of guests)
      await guest.open(address(link.origin, { ...QUERY, name: guest.name }) + link.hash);
    await keepNothing(guests);
    await second.page.getByTestId("join").click();
    await first.asked(second.name);
    await third.page.getByTestId("join").click();
    await third.asks();
    await keepNothing(guests);
    // They are shown one at a time.
    for (const guest of guests) {
      await first.asked(guest.name);
      await first.letIn();
    }
    await Promise.all([first, ...guests].map((phone) => phone.meet(3)));
    // The network is the room's, until it is ready and quiet.
    await keepNothing(guests);

    await third.leave();
    await expect.poll(() => third.page.evaluate(isKept), { timeout: STEP_LIMIT_MS }).toBe(true);
    await prepare([first, second]);
    await first.answer(await first.type(PROMPT), STALL_LIMIT_MS);
    await expect.poll(() => second.page.evaluate(isKept), { timeout: STEP_LIMIT_MS }).toBe(true);
    await second.meet(2);
  } finally {
    await server.stop();
  }
  for (const guest of guests) {
    await guest.open(address(server.url, QUERY));
    await expect(guest.page.getByTestId("start")).toBeVisible();
  }
});

test("the page can be installed", async ({ server, folder }) => {
  // A profile that stays: in the others Chromium says that it installs nothing (in-incognito).
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: settings().chromium,
    args: ["--no-sandbox"],
  });
  try {
    const page = await context.newPage();
    await page.goto(server.url);
    const client = await context.newCDPSession(page);
    const manifest = await client.send("Page.getAppManifest");
    expect(manifest.errors).toEqual([]);
    expect(JSON.parse(manifest.data ?? "{}")).toMatchObject({ id: "/", display: "standalone", scope: "/" });
    expect((await client.send("Page.getInstallabilityErrors")).installabilityErrors).toEqual([]);
  } finally {
    await context.close();
  }
});

/** Opens the start screen and waits until the page is kept. */
async function visit(phone: Phone, origin: string): Promise<void> {
  await phone.open(address(origin, QUERY));
  await phone.page.getByTestId("start").waitFor();
  await expect.poll(() => phone.page.evaluate(isKept), { timeout: STEP_LIMIT_MS }).toBe(true);
}

/** Starts a room, as a person does, with the model that is chosen already. */
async function begin(phone: Phone): Promise<void> {
  await phone.page.getByTestId("more").click();
  await phone.page.getByTestId("exact").check();
  await phone.page.getByTestId("start").click();
  await phone.reach("gathering", STEP_LIMIT_MS);
}

async function answers(phone: Phone): Promise<void> {
  await begin(phone);
  await prepare([phone]);
  const turn = await phone.answer(await phone.type(PROMPT), STALL_LIMIT_MS);
  expect(turn.stats.tokens).toEqual(bundled().golden(PROMPT).tokens.slice(0, TOKENS));
}

/** Runs in the page. */
async function isKept(): Promise<boolean> {
  const registration = await navigator.serviceWorker.getRegistration();
  return registration?.active?.state === "activated";
}

/** Also after longer than a start screen or a quiet room waits before the page is kept. */
async function keepNothing(phones: Phone[]): Promise<void> {
  await phones[0]?.page.waitForTimeout(7000);
  for (const { page } of phones) expect(await page.evaluate(registrations)).toBe(0);
}

/** Runs in the page. */
async function registrations(): Promise<number> {
  return (await navigator.serviceWorker.getRegistrations()).length;
}

/** Runs in the page. */
function mainScriptOfPage(): string {
  const script = document.querySelector<HTMLScriptElement>("script[type=module]");
  return script ? new URL(script.src).pathname : "";
}

/** Runs in the page. */
async function keptPaths(): Promise<string[]> {
  const paths: string[] = [];
  for (const name of await caches.keys())
    for (const { url } of await (await caches.open(name)).keys()) paths.push(new URL(url).pathname);
  return paths;
}
