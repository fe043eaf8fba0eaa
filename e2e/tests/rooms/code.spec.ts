/** A room is joined by ten digits that one phone shows and another's person types. */

import type { RedeemFailure } from "../../../web/src/engine/messages.ts";
import { bundled } from "../../src/golden.ts";
import { HostileServer, type Delivery } from "../../src/hostile-server.ts";
import type { Phone } from "../../src/phone.ts";
import { Server } from "../../src/server.ts";
import { expect, test } from "../fixtures.ts";

const LIMIT_MS = 60_000;

/** What the page says then, in part. */
const WORDS: Partial<Record<RedeemFailure, string>> = {
  wrong_code: "That is not the code",
  code_gone: "No phone shows this code",
  forged: "somebody may be between the two",
};

/** The phone that started the room shows a code. */
async function shown(phone: Phone): Promise<string> {
  await phone.page.getByTestId("offer-code").click();
  const code = phone.page.getByTestId("short-code");
  await expect(code).toHaveText(/^\d{4} - \d{3} \d{3}$/, { timeout: LIMIT_MS });
  return (await code.textContent()) ?? "";
}

async function openDialog(phone: Phone, origin: string): Promise<void> {
  await phone.open(`${origin}/?name=Ben`);
  await phone.page.getByTestId("type-code").click();
}

async function type(phone: Phone, code: string): Promise<void> {
  await phone.page.getByTestId("code").fill(code);
  await phone.page.getByTestId("redeem").click();
}

async function isRefused(phone: Phone, why: RedeemFailure): Promise<void> {
  const words = phone.page.getByTestId("code-words");
  await expect(words).toContainText(WORDS[why] ?? "", { timeout: LIMIT_MS });
}

/** The same place, and a password that is wrong by so much. */
function wrong(code: string, by: number): string {
  const digits = code.replace(/\D/g, "");
  const password = (Number(digits.slice(4)) + by) % 1_000_000;
  return digits.slice(0, 4) + String(password).padStart(6, "0");
}

test("a typed code leads into the room, and the server learns neither code nor invitation", async ({
  server,
  launch,
  picture,
}) => {
  const hostile = await HostileServer.before(server);
  try {
    const [first, second] = (await launch(2, server)) as [Phone, Phone];
    const link = await first.start(hostile.url, { model: bundled().url, name: "Ada" });
    const code = await shown(first);
    await first.page.getByTestId("short-code").scrollIntoViewIfNeeded();
    await first.screenshot(picture("a code to type"));

    await openDialog(second, hostile.url);
    const field = second.page.getByTestId("code");
    await field.pressSequentially(code.replace(/\D/g, ""));
    await expect(field).toHaveValue(code);
    await second.screenshot(picture("typing a code"));
    await field.press("Enter");
    await second.page.getByTestId("join").click({ timeout: LIMIT_MS });
    await Promise.all([first, second].map((phone) => phone.meet(2)));
    await expect(first.page.getByTestId("code-news")).toContainText("One phone has it");

    const heard = hostile.heard.join("\n");
    expect(heard).toContain('"type":"redeem"');
    expect(heard).not.toContain(code.replace(/\D/g, "").slice(4));
    // What comes behind the secret is made anew from time to time.
    expect(heard).not.toContain(new URL(link).hash.slice(1, 44));
  } finally {
    await hostile.stop();
  }
});

test("a wrong code is refused, three of them end it, and a new one leads into the room", async ({
  server,
  launch,
  picture,
}) => {
  const [first, second] = (await launch(2, server)) as [Phone, Phone];
  await first.start(server.url, { model: bundled().url, name: "Ada" });
  const code = await shown(first);
  await openDialog(second, server.url);
  await type(second, wrong(code, 1));
  await isRefused(second, "wrong_code");
  await second.screenshot(picture("a wrong code"));
  await expect(first.page.getByTestId("code-news")).toContainText("typed a wrong code");
  // The same again is not even asked for, so it costs no try.
  await type(second, wrong(code, 1));
  await expect(second.page.getByTestId("code-words")).toContainText("tried already");

  for (const by of [2, 3]) {
    await expect(first.page.getByTestId("short-code")).toHaveText(code);
    await type(second, wrong(code, by));
    await isRefused(second, "wrong_code");
  }
  const over = first.page.getByTestId("code-over");
  await expect(over).toHaveAttribute("data-why", "guessed", { timeout: LIMIT_MS });
  await expect(over).toContainText("Somebody typed a wrong code three times");
  await first.screenshot(picture("a spent code"));
  await type(second, code);
  await isRefused(second, "code_gone");

  await type(second, ` ${(await shown(first)).replaceAll(" ", "")}\n`);
  await second.page.getByTestId("join").click({ timeout: LIMIT_MS });
  await Promise.all([first, second].map((phone) => phone.meet(2)));
});

test("a code that is over, withdrawn or unknown says so", async ({ launch, picture }) => {
  const server = await Server.start({ args: ["--code-life-secs", "20"] });
  try {
    const [first, second] = (await launch(2, server)) as [Phone, Phone];
    await openDialog(second, server.url);
    await type(second, "0000 - 000 000");
    await isRefused(second, "code_gone");
    await second.screenshot(picture("an unknown code"));

    await first.start(server.url, { model: bundled().url });
    const withdrawn = await shown(first);
    await first.page.getByTestId("withdraw-code").click();
    await expect(first.page.getByTestId("offer-code")).toBeVisible();
    await type(second, withdrawn);
    await isRefused(second, "code_gone");

    const late = await shown(first);
    const over = first.page.getByTestId("code-over");
    await expect(over).toHaveAttribute("data-why", "expired", { timeout: LIMIT_MS });
    await type(second, late);
    await isRefused(second, "code_gone");
  } finally {
    await server.stop();
  }
});

test("a server that alters the last word of a code brings nobody anywhere", async ({ server, launch }) => {
  const hostile = await HostileServer.before(server);
  try {
    const [first, second] = (await launch(2, server)) as [Phone, Phone];
    await first.start(hostile.url, { model: bundled().url });
    const code = await shown(first);
    hostile.toPhones = (text): Delivery[] => {
      const message = JSON.parse(text) as { type: string; message?: string };
      if (message.type !== "call_ended" || !message.message) return [text];
      const altered = (message.message.startsWith("A") ? "B" : "A") + message.message.slice(1);
      return [JSON.stringify({ ...message, message: altered })];
    };
    await openDialog(second, hostile.url);
    await type(second, code);
    await isRefused(second, "forged");
    await expect(second.page.getByTestId("join")).toHaveCount(0);
  } finally {
    await hostile.stop();
  }
});
