/** The server that introduces phones reads, alters, repeats and forges what they say, and lets strangers in. */

import type { ToWorker } from "../../../web/src/engine/messages.ts";
import { bundled } from "../../src/golden.ts";
import { HostileServer, type Delivery } from "../../src/hostile-server.ts";
import type { Phone } from "../../src/phone.ts";
import { gather, prepare } from "../../src/room.ts";
import { STEP_LIMIT_MS } from "../../src/tab.ts";
import { expect, test as base } from "../fixtures.ts";

const test = base.extend<{ hostile: HostileServer }>({
  hostile: async ({ server }, use) => {
    const hostile = await HostileServer.before(server);
    await use(hostile);
    await hostile.stop();
  },
});

const PROMPT = "Once upon a time";
const STALL_LIMIT_MS = 120_000;
/** In which two phones of an honest server are linked many times over. */
const PATIENCE_MS = 15_000;

function query(): { model: string; pledge: string; temperature: number; tokens: number } {
  return { model: bundled().url, pledge: "share:1.3:2", temperature: 0, tokens: 16 };
}

/** Two phones of the room answer, with the right tokens. */
async function answers(phones: Phone[]): Promise<void> {
  const [first] = phones as [Phone];
  await prepare(phones);
  const turn = await first.answer(await first.type(PROMPT), STALL_LIMIT_MS);
  expect(turn.stats.tokens).toEqual(bundled().golden(PROMPT).tokens.slice(0, 16));
}

interface Sealed {
  type: string;
  from: string;
  sealed: string;
}

/** What one phone says to another, as the server hands it over; nothing for its own messages. */
function sealed(text: string): Sealed | null {
  const message = JSON.parse(text) as Sealed;
  return message.type === "from" ? message : null;
}

test("it reads everything and learns nothing; what it repeats or says is another's is not heard", async ({
  hostile,
  launch,
  server,
}) => {
  const earlier: Sealed[] = [];
  hostile.toPhones = (text): Delivery[] => {
    const message = sealed(text);
    if (!message) return [text];
    earlier.push(message);
    // The last of somebody else, with this one's name on it.
    const other = earlier.findLast(({ from }) => from !== message.from);
    const forged = other ? [JSON.stringify({ ...other, from: message.from })] : [];
    return [...forged, text, text, { afterMs: 500, text }, { afterMs: 3000, text }];
  };
  const phones = await launch(3, server);
  const [first] = phones as [Phone];
  await gather(hostile, phones, { query: query() });
  const secret = new URL(await first.invitation()).hash.slice(1, 44);
  await answers(phones);

  expect(earlier.length).toBeGreaterThan(6);
  const decoded = hostile.heard.flatMap((text) => [
    text,
    ...[sealed(text)].flatMap((one) => (one ? [bytes(one)] : [])),
  ]);
  for (const word of [secret, "a=fingerprint", "candidate", "127.0.0.1", PROMPT]) {
    expect(decoded.filter((text) => text.includes(word))).toEqual([]);
  }
});

test("what it alters is refused; it can keep phones apart, and that is all", async ({
  hostile,
  launch,
  server,
}) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  hostile.toPhones = (text): Delivery[] => {
    const message = sealed(text);
    return [message ? JSON.stringify({ ...message, sealed: altered(message.sealed) }) : text];
  };
  const link = await first.start(hostile.url, { ...query(), wire: "f32", name: "first" });
  await second.join(link, { ...query(), wire: "f32", name: "second" });
  await first.page.waitForTimeout(PATIENCE_MS);
  for (const phone of [first, second]) {
    const { room } = await phone.view();
    expect(room?.peers.filter((peer) => !peer.me)).toEqual([]);
  }

  hostile.toPhones = (text) => [text];
  await second.join(link, { ...query(), wire: "f32", name: "second" });
  await Promise.all([first, second].map((phone) => phone.meet(2)));
  await answers([first, second]);
});

test("it cannot bring in somebody who was not invited", async ({ hostile, launch, server }) => {
  const [first, second, stranger] = (await launch(3, server)) as [Phone, Phone, Phone];
  let room = "";
  hostile.fromPhones = (text): Delivery[] => {
    const message = JSON.parse(text) as { type: string; room?: string };
    if (message.type === "open") room = message.room ?? "";
    // Whoever enters any room is put in the first one.
    return [message.type === "join" ? JSON.stringify({ ...message, room }) : text];
  };
  const link = await first.start(hostile.url, { ...query(), wire: "f32", name: "first" });
  await stranger.join(`${hostile.url}/#${"A".repeat(43)}`, { name: "stranger" });
  await expect.poll(async () => (await server.stats()).peers).toBe(2);
  await second.join(link, { ...query(), wire: "f32", name: "second" });
  await Promise.all([first, second].map((phone) => phone.meet(2)));
  await answers([first, second]);
  await first.page.waitForTimeout(PATIENCE_MS);
  expect((await server.stats()).peers).toBe(3);
  for (const phone of [first, second]) {
    const { room: seen } = await phone.view();
    expect(seen?.peers.map((peer) => peer.name).sort()).toEqual(["first", "second"]);
  }
  expect((await stranger.view()).room?.peers.filter((peer) => !peer.me)).toEqual([]);
});

test("nobody is between two phones that meet", async ({ launch, server }) => {
  const [first, second, third] = (await launch(3, server)) as [Phone, Phone, Phone];
  await first.page.addInitScript(seeAnotherCertificate);
  const link = await first.start(server.url, { ...query(), wire: "f32", name: "first" });
  const isRefused = Promise.any([first, second].map(refusesProof));
  await second.join(link, { ...query(), wire: "f32", name: "second" });
  await isRefused;
  await third.join(link, { ...query(), wire: "f32", name: "third" });
  await Promise.all([first, third].map((phone) => phone.meet(2)));

  const notice = second.page.getByTestId("error");
  await expect(notice).toHaveAttribute("data-code", "unreachable", { timeout: STEP_LIMIT_MS });
  await expect(notice).toContainText("The other phone cannot be reached");
  const linked = async (phone: Phone): Promise<string[]> => {
    const { peers } = await phone.room();
    return peers.filter(({ me, link }) => !me && link === "open").map(({ name }) => name);
  };
  expect(await Promise.all([first, second, third].map(linked))).toEqual([["third"], [], ["first"]]);
  await answers([first, third]);
});

/** With one character another. */
function altered(text: string): string {
  const at = Math.floor(text.length / 2);
  return text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
}

function bytes({ sealed }: Sealed): string {
  return Buffer.from(sealed, "base64url").toString("latin1");
}

/** The proof of another phone was none, or not for the certificates that this one has seen. */
async function refusesProof({ page }: Phone): Promise<void> {
  await page.waitForEvent("console", (said) => said.text().includes("could not show that it was invited"));
}

/**
 * Runs in the page: the engine hears that the first phone that this one meets has shown another certificate than its own,
 * as where somebody stands between the two. For the phone that started the room: one that joins would turn from such a
 * certificate without any proof, since the link names its host's.
 */
function seeAnotherCertificate(): void {
  const post = Worker.prototype.postMessage as (this: Worker, message: ToWorker, ...rest: unknown[]) => void;
  let met: string | null = null;
  Worker.prototype.postMessage = function (this: Worker, message: ToWorker, ...rest: unknown[]): void {
    if (message.type === "rtc" && message.event.kind === "secured") {
      const { event } = message;
      met ??= event.peer;
      if (event.peer === met) event.theirs = event.theirs.map((byte) => 255 - byte);
    }
    post.call(this, message, ...rest);
  };
}
