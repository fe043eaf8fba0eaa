import { bundled } from "../../src/golden.ts";
import { lanAddress } from "../../src/lan.ts";
import type { Phone } from "../../src/phone.ts";
import { prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { expect, test } from "../fixtures.ts";

const host = lanAddress();

test.beforeEach(({ seats }) => {
  test.skip(seats === "android", "an Android phone comes by localhost");
  test.skip(host === undefined, "this machine has no address but its own");
});

test("over https a phone past the browser's warning gets ready", async ({ launch, picture }) => {
  const server = await Server.start({ host: host ?? "", hasTls: true });
  try {
    const [phone] = (await launch(1, server, { trustsServer: true })) as [Phone];
    await phone.start(server.url, { model: bundled().url, pledge: "share:1.3:1" });
    expect(await phone.invitation()).toMatch(`https://${host}:${server.port}/#`);
    expect(await phone.page.evaluate(() => isSecureContext)).toBe(true);
    await phone.meet(1);
    await prepare([phone]);
    await phone.screenshot(picture("https"));
  } finally {
    await server.stop();
  }
});

test("without going past the warning there is no page", async ({ launch }) => {
  const server = await Server.start({ host: host ?? "", hasTls: true });
  try {
    const [phone] = (await launch(1, server)) as [Phone];
    await expect(phone.open(server.url)).rejects.toThrow("ERR_CERT");
  } finally {
    await server.stop();
  }
});

test("over plain http the page says what is missing", async ({ launch, picture }) => {
  const server = await Server.start({ host: host ?? "" });
  try {
    const [phone] = (await launch(1, server)) as [Phone];
    await phone.open(server.url);
    const notice = phone.page.getByTestId("error");
    await expect(notice).toHaveAttribute("data-code", "insecure_context");
    await expect(notice).toContainText("--tls");
    await expect(phone.page.getByTestId("start")).toHaveCount(0);
    await phone.screenshot(picture("insecure-context"));
  } finally {
    await server.stop();
  }
});
