/** Phones that are remembered: they come back without a code, until they are taken off the list. And invitations that end. */

import { address, type PhoneQuery } from "../../src/address.ts";
import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import type { Server } from "../../src/server.ts";
import { expect, test } from "../fixtures.ts";

function query(name: string, life?: number): PhoneQuery {
  return { admit: "ask", model: bundled().url, name, ...(life === undefined ? {} : { life }) };
}

function start(first: Phone, server: Server, life?: number): Promise<string> {
  return first.start(server.url, query("Ada", life));
}

/** It asks, is let in, and is remembered. */
async function comeIn(first: Phone, second: Phone, link: string): Promise<void> {
  await isLetIn(first, second, link);
  await expect.poll(async () => (await second.view()).remembered?.name).toBe("Ada");
}

/** It asks and is let in; that it is remembered is what the screen proposes. */
async function isLetIn(first: Phone, second: Phone, link: string): Promise<void> {
  await second.join(link, { name: "Ben" });
  await first.asked("Ben");
  await expect(first.page.getByTestId("remember")).toBeChecked();
  await first.letIn();
  await meet(first, second);
}

async function meet(...phones: Phone[]): Promise<void> {
  await Promise.all(phones.map((phone) => phone.meet(phones.length)));
}

/** The first phone starts its next room, which is there for others then. */
async function startNext(first: Phone, server: Server): Promise<void> {
  await first.page.getByTestId("start").click();
  await first.reach("gathering", 60_000);
  await expect.poll(async () => (await server.stats()).rooms).toBe(1);
}

/** Since the end of what stands behind the secret in a link: a time in 4 bytes comes first there. */
function secsSince(link: string): number {
  const ticket = Buffer.from(new URL(link).hash.slice(-22), "base64url");
  return Date.now() / 1000 - ticket.readUInt32BE(0);
}

async function nobodyAsks(first: Phone): Promise<void> {
  expect((await first.room()).door?.askers).toEqual([]);
}

/** With one tap, and nobody is asked. */
async function comesBack(first: Phone, second: Phone): Promise<void> {
  await second.page.getByTestId("come-back").click();
  await meet(first, second);
  await nobodyAsks(first);
}

async function isRefused(phone: Phone, code: string): Promise<void> {
  await expect(phone.page.getByTestId("error")).toHaveAttribute("data-code", code, { timeout: 60_000 });
}

/** The list, in the room or on the start page. */
async function openList(first: Phone): Promise<void> {
  await first.page.getByTestId("trusted").locator("summary").click();
}

test("a phone that was let in and remembered comes back with one tap, and nobody is asked", async ({
  server,
  launch,
  picture,
}) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  await comeIn(first, second, await start(first, server));
  const before = await first.room();

  await first.leave();
  await startNext(first, server);
  await second.open(address(server.url, { name: "Ben" }));
  await expect(second.page.getByTestId("come-back")).toContainText("Ada’s phone");
  await second.screenshot(picture("come-back"));
  await comesBack(first, second);
  const identities = ({ peers }: typeof before): (string | null)[] => peers.map((peer) => peer.identity);
  expect(identities(await first.room()).sort()).toEqual(identities(before).sort());

  // Also into a locked room. By a link whose time is over: see below.
  await first.page.getByTestId("lock").check();
  await second.leave();
  await comesBack(first, second);
});

test("a phone that comes back waits until there is a room, or does not", async ({
  server,
  launch,
  picture,
}) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  await comeIn(first, second, await start(first, server));
  await first.leave();
  await second.open(address(server.url, { name: "Ben" }));
  await expect.poll(async () => (await server.stats()).rooms).toBe(0);
  await second.page.getByTestId("come-back").click();
  await expect(second.page.getByTestId("no-room")).toContainText("Ada’s phone has no room open now");
  await second.screenshot(picture("no-room-open"));
  await second.page.getByTestId("back").click();

  await second.page.getByTestId("come-back").click();
  await second.page.getByTestId("wait").click();
  await expect(second.page.getByTestId("stop-waiting")).toBeVisible();
  await second.screenshot(picture("waiting-for-a-room"));
  await first.page.getByTestId("start").click();
  await meet(first, second);
  await nobodyAsks(first);

  await second.leave();
  await second.page.getByTestId("forget").click();
  await second.page.reload();
  await expect(second.page.getByTestId("start")).toBeVisible();
  await expect(second.page.getByTestId("come-back")).toHaveCount(0);
});

test("a phone that is taken off the list is out at once, and is asked about again", async ({
  server,
  launch,
  picture,
}) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  const link = await start(first, server);
  await comeIn(first, second, link);
  await openList(first);
  await first.page.getByTestId("rename").click();
  await first.page.getByTestId("alias").fill("My kitchen phone");
  await first.page.getByTestId("rename-done").click();
  await first.leave();
  await first.page.reload();
  await openList(first);
  await expect(first.page.getByTestId("trusted-phone")).toContainText("My kitchen phone");
  await expect(first.page.getByTestId("trusted-phone")).toContainText("calls itself Ben");
  await first.screenshot(picture("trusted-phones"));

  await startNext(first, server);
  await second.open(address(server.url, { name: "Ben" }));
  await second.page.getByTestId("come-back").click();
  await meet(first, second);
  await openList(first);
  await expect(first.page.getByTestId("trusted-phone")).toContainText("here now");
  await first.page.getByTestId("remove").click();
  await first.page.getByTestId("remove-really").click();
  await isRefused(second, "removed");
  await expect(first.page.getByTestId("trusted")).toHaveCount(0);
  await expect.poll(async () => (await first.room()).door?.admitted).toEqual([]);

  await second.join(await first.invitation(), { name: "Ben" });
  await first.asked("Ben");
  await second.open(address(server.url, { name: "Ben" }));
  await expect(second.page.getByTestId("start")).toBeVisible();
  await expect(second.page.getByTestId("come-back"), "it has forgotten the way").toHaveCount(0);
});

test("a phone that was let in for once is taken out by its card, and asked about again", async ({
  server,
  launch,
}) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  await second.join(await start(first, server), { name: "Ben" });
  await first.asked("Ben");
  await first.page.getByTestId("remember").uncheck();
  await first.letIn();
  await meet(first, second);
  await first.page.getByTestId("take-out").click();
  await first.page.getByTestId("take-out-really").click();
  await isRefused(second, "removed");
  await expect.poll(async () => (await first.room()).door?.admitted).toEqual([]);
  await first.page.reload();
  await first.reach("gathering", 60_000);
  await second.join(await first.invitation(), { name: "Ben" });
  await first.asked("Ben");
});

test("an invitation that is over is refused, and phones that are remembered need none", async ({
  server,
  launch,
  picture,
}) => {
  const [first, second, third] = (await launch(3, server)) as [Phone, Phone, Phone];
  const old = await start(first, server, 2);
  expect(new URL(old).hash).toHaveLength(1 + 43 + 22 + 22);
  await first.page.getByTestId("life").selectOption({ label: "an hour" });
  await expect.poll(() => first.invitation()).not.toBe(old);
  await comeIn(first, second, await first.invitation());

  await expect.poll(() => secsSince(old), { timeout: 30_000 }).toBeGreaterThan(0);
  for (const link of [old, old.slice(0, -22)]) {
    await third.join(link, { name: "Cleo" });
    await isRefused(third, "expired");
    await expect(third.page.getByTestId("error")).toContainText("This invitation has expired");
  }
  await third.screenshot(picture("invitation-expired"));
  await nobodyAsks(first);

  await second.join(old, { name: "Ben" });
  await meet(first, second);
  await nobodyAsks(first);

  await third.join(await first.invitation(), { name: "Cleo" });
  await first.asked("Cleo");
});

test("a new code ends what was given out, and phones that are here find the next room", async ({
  server,
  launch,
}) => {
  const [first, second, third] = (await launch(3, server)) as [Phone, Phone, Phone];
  const link = await start(first, server);
  await comeIn(first, second, link);
  const told = (await second.view()).remembered?.secret;
  await first.page.getByTestId("new-code").click();
  await first.page.getByTestId("new-code-really").click();
  await expect.poll(async () => (await second.view()).remembered?.secret).not.toBe(told);
  await third.join(link, { name: "Cleo" });
  await isRefused(third, "expired");

  await first.leave();
  await second.open(address(server.url, { name: "Ben" }));
  await startNext(first, server);
  await expect.poll(() => first.invitation()).not.toContain(told);
  await comesBack(first, second);
});

test("phones that may keep nothing meet all the same, and remember each other as long as the page", async ({
  server,
  launch,
}) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  // The second needs its key, to be known again after its page was loaded anew.
  await first.page.addInitScript(forbidStorage, ["localStorage", "sessionStorage", "indexedDB"]);
  await second.page.addInitScript(forbidStorage, ["localStorage", "sessionStorage"]);
  await isLetIn(first, second, await start(first, server));
  expect((await second.view()).remembered, "there is no next room to be found").toBeNull();
  await first.leave();
  await second.open("about:blank");
  await startNext(first, server);
  await second.join(await first.invitation(), { name: "Ben" });
  await meet(first, second);
  await nobodyAsks(first);
});

/** Runs in the page. Must not use anything from around it. */
function forbidStorage(names: string[]): void {
  for (const name of names)
    Object.defineProperty(window, name, {
      get: () => {
        throw new DOMException("forbidden", "SecurityError");
      },
    });
}
