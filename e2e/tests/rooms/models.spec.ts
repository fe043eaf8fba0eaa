import { readdirSync } from "node:fs";
import { join } from "node:path";

import { address, type PhoneQuery } from "../../src/address.ts";
import { bundled } from "../../src/golden.ts";
import { ModelHost } from "../../src/model-host.ts";
import type { Phone } from "../../src/phone.ts";
import { phasesOf, prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { HERE } from "../../src/settings.ts";
import { STEP_LIMIT_MS } from "../../src/tab.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const TOKENS = 16;
const STALL_LIMIT_MS = 120_000;
/** What the page is asked with, besides the model. */
const QUERY: PhoneQuery = { pledge: "share:1.3:1", temperature: 0, tokens: TOKENS, wire: "f32" };
/** Asking for a file's length. */
const FRONT = "0-0";

test.beforeEach(({ seats }) => {
  test.skip(seats === "android", "what is picked and kept is the browser's, and Chromium's the same");
});

test("a model of another origin is fetched once, kept, and checked", async ({
  launch,
  picture,
}, testInfo) => {
  const state = testInfo.outputPath("state");
  const server = await Server.start({ hasTls: true, state });
  const host = await ModelHost.start(bundled().file, state);
  try {
    const [phone] = (await launch(1, server, { trustsServer: true })) as [Phone];
    await test.step("an answer that breaks off is asked for again", async () => {
      host.breaks = 1;
      await startFrom(phone, server, host.url);
      expect(host.breaks).toBe(0);
      expect(await answer(phone)).toEqual(golden());
    });
    await test.step("the next time nothing is fetched", async () => {
      host.ranges.length = 0;
      await leave(phone, server);
      await expect(phone.page.getByTestId("kept")).toContainText("kept on this phone");
      await phone.screenshot(picture("kept-models"));
      await startFrom(phone, server, host.url);
      expect(host.ranges.filter((range) => range !== FRONT)).toEqual([]);
      expect(await answer(phone)).toEqual(golden());
    });
    await test.step("a damaged piece is fetched again, and only that", async () => {
      host.ranges.length = 0;
      await leave(phone, server);
      const piece = await phone.page.evaluate(damageLargestPiece);
      await startFrom(phone, server, host.url);
      const [start, end] = piece.split("-").map(Number) as [number, number];
      expect(host.ranges.filter((range) => range !== FRONT)).toEqual([`${start}-${end - 1}`]);
      expect(await answer(phone)).toEqual(golden());
    });
    await test.step("what is kept can be removed", async () => {
      await leave(phone, server);
      await phone.page.getByTestId("remove-kept").click();
      await expect(phone.page.getByTestId("kept")).toHaveCount(0);
    });
  } finally {
    await host.stop();
    await server.stop();
  }
});

test("a phone without room for the model runs it all the same, and says so", async ({ server, launch }) => {
  const [phone] = (await launch(1, server)) as [Phone];
  const client = await phone.page.context().newCDPSession(phone.page);
  await client.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize: 200_000 });
  await phone.start(server.url, { ...QUERY, model: bundled().url });
  await prepare([phone]);
  await expect(phone.page.getByRole("status").filter({ hasText: "cannot be kept" })).toBeVisible();
  expect(await answer(phone)).toEqual(golden());
});

test("picked files are a model, and every phone picks the same", async ({ server, launch, picture }) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  const file = bundled().file;
  await first.open(address(server.url, { ...QUERY, admit: "all", pledge: "share:1.3:2", name: "first" }));
  await choose(first, [file]);
  await beExact(first);
  await first.page.getByTestId("start").click();
  await first.reach("gathering", STEP_LIMIT_MS);
  await second.join(await first.invitation(), { ...QUERY, pledge: "share:1.3:2", name: "second" });
  await first.meet(2);
  await first.begin();
  // The second phone has not the file yet, and the first alone not the memory.
  await expect(first.page.getByTestId("error")).toContainText("does not fit", { timeout: STALL_LIMIT_MS });

  const missing = second.page.getByTestId("missing-file");
  await missing.setInputFiles(join(HERE, "package.json"));
  await expect(second.page.getByTestId("pick-file").getByRole("alert")).toContainText("That is another file");
  await second.screenshot(picture("pick-file"));
  await missing.setInputFiles(file);
  await expect(missing).toHaveCount(0);
  await first.page.getByTestId("begin").click();
  await expect.poll(() => phasesOf([first, second]), { timeout: STALL_LIMIT_MS }).toEqual(["ready", "ready"]);
  expect(await answer(first)).toEqual(golden());
});

test("a picked folder of Hugging Face is quantised while it loads", async ({ server, launch, picture }) => {
  const [phone] = (await launch(1, server)) as [Phone];
  const folder = join(HERE, "..", "crates", "testkit", "golden", "folders", "qwen3-f16");
  await phone.open(address(server.url, QUERY));
  await choose(
    phone,
    readdirSync(folder).map((name) => join(folder, name)),
  );
  await phone.page.getByTestId("more").click();
  await phone.page.getByTestId("precision").selectOption("q8_0");
  await phone.screenshot(picture("picked-folder"));
  await phone.page.getByTestId("start").click();
  await phone.reach("gathering", STEP_LIMIT_MS);
  await prepare([phone]);
  expect(await answer(phone)).toHaveLength(TOKENS);
});

/** As a person does it, from the page's start to a room that can answer. */
async function startFrom(phone: Phone, server: Server, url: string): Promise<void> {
  await phone.open(address(server.url, QUERY));
  await phone.page.getByTestId("model").selectOption("address");
  await phone.page.getByTestId("model-address").fill(url);
  await beExact(phone);
  await phone.page.getByTestId("start").click();
  await phone.reach("gathering", STEP_LIMIT_MS);
  await prepare([phone]);
}

/** Leaves the room for the start screen of a page just opened, whose worker holds no file. */
async function leave(phone: Phone, server: Server): Promise<void> {
  await phone.leave();
  await phone.open(server.url);
}

async function choose(phone: Phone, files: string[]): Promise<void> {
  await phone.page.getByTestId("model").selectOption("phone");
  await phone.page.getByTestId("model-file").setInputFiles(files);
}

/** Keys and values in 32 bits, as the golden answers are computed. */
async function beExact(phone: Phone): Promise<void> {
  await phone.page.getByTestId("more").click();
  await phone.page.getByTestId("exact").check();
}

async function answer(phone: Phone): Promise<number[]> {
  return (await phone.answer(await phone.type(PROMPT), STALL_LIMIT_MS)).stats.tokens;
}

function golden(): number[] {
  return bundled().golden(PROMPT).tokens.slice(0, TOKENS);
}

/** Runs in the page: changes the last byte of the largest piece that is kept, and returns its name. */
async function damageLargestPiece(): Promise<string> {
  const models = await (await navigator.storage.getDirectory()).getDirectoryHandle("models");
  let [largest, most] = [null as FileSystemFileHandle | null, 0];
  for await (const folder of models.values()) {
    for await (const entry of (folder as FileSystemDirectoryHandle).values()) {
      const { size } = await (entry as FileSystemFileHandle).getFile();
      if (size > most) [largest, most] = [entry as FileSystemFileHandle, size];
    }
  }
  if (!largest) throw new Error("nothing is kept");
  const bytes = new Uint8Array(await (await largest.getFile()).arrayBuffer());
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  const stream = await largest.createWritable();
  await stream.write(bytes);
  await stream.close();
  return largest.name;
}
