/** A room's code is read in the page, through the camera. */

import { rmSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { capture } from "../../src/capture.ts";
import { film, STILL, type Shot } from "../../src/fake-camera.ts";
import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { expect, test as base } from "../fixtures.ts";

const test = base.extend<{ folder: string }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), "lingualinked-film-"));
    await use(folder);
    rmSync(folder, { recursive: true });
  },
});

const LIMIT_MS = 60_000;

const SHOTS: [string, Shot][] = [
  ["held still", STILL],
  [
    "out of focus, tilted, with a lamp in the screen",
    { ...STILL, size: 0.85, turn: -8, tilt: [0, 0.12], blur: 1, glare: 50, noise: 10 },
  ],
  [
    "small in a large picture, from the side",
    { ...STILL, pixels: [1280, 960], size: 0.35, turn: 12, tilt: [0.25, -0.15], blur: 2, noise: 12 },
  ],
  [
    "in the dark, out of focus, with a lamp in the screen",
    {
      ...STILL,
      pixels: [1280, 960],
      size: 0.6,
      turn: -20,
      tilt: [-0.2, 0.2],
      blur: 4,
      light: 0.25,
      glare: 60,
      noise: 12,
    },
  ],
];

for (const [how, shot] of SHOTS) {
  test(`a code is scanned in the page: ${how}`, async ({ server, launch, folder, picture }) => {
    const [first] = (await launch(1, server)) as [Phone];
    await first.start(server.url, { model: bundled().url, name: "Ada" });
    const camera = join(folder, "film.y4m");
    writeFileSync(camera, film(await screen(first), shot));

    const [second] = (await launch(1, server, { camera })) as [Phone];
    // The browser's own reader is not what is tested.
    await second.page.addInitScript(() => Reflect.deleteProperty(window, "BarcodeDetector"));
    await second.open(`${server.url}/?name=Ben`);
    await second.page.getByTestId("scan").click();
    await second.page.getByTestId("scanner").waitFor();
    await second.screenshot(picture(`scanning ${how}`));
    await second.page.getByTestId("join").click({ timeout: LIMIT_MS });
    await Promise.all([first, second].map((phone) => phone.meet(2)));
    await expect(second.page.getByTestId("scanner")).toHaveCount(0);
  });
}

test("a code of something else, and one of another server's room", async ({
  server,
  launch,
  folder,
  picture,
}) => {
  const [first] = (await launch(1, server)) as [Phone];
  // By its other name it is another server, for a page.
  const elsewhere = server.url.replace("127.0.0.1", "localhost");
  const shown = await first.start(elsewhere, { model: bundled().url });
  const camera = join(folder, "film.y4m");
  writeFileSync(camera, film(await screen(first), STILL));

  const [second] = (await launch(1, server, { camera })) as [Phone];
  await second.open(server.url);
  await second.page.getByTestId("scan").click();
  const link = second.page.getByTestId("elsewhere");
  // How long it is good may have been said anew since.
  await expect(link).toHaveAttribute("href", new RegExp(`^${secretOf(shown)}`), { timeout: LIMIT_MS });
  await second.screenshot(picture("scanning elsewhere"));
  await link.click();
  await second.page.getByTestId("join").waitFor();
});

test("without a camera, or leave to use it, the page says so", async ({ server, launch, picture }) => {
  const [phone] = (await launch(1, server, { mayUseCamera: false })) as [Phone];
  await phone.open(server.url);
  await phone.page.getByTestId("scan").click();
  await expect(phone.page.getByTestId("scanner-words")).toContainText("camera", { timeout: LIMIT_MS });
  await expect(phone.page.getByTestId("scanner-words")).not.toContainText("Asking", { timeout: LIMIT_MS });
  await phone.screenshot(picture("scanning without a camera"));
  await phone.page.keyboard.press("Escape");
  await expect(phone.page.getByTestId("scanner")).toHaveCount(0);
  await phone.page.getByTestId("start").waitFor();
});

/** A link without how long it is good. */
function secretOf(link: string): string {
  return link.slice(0, link.indexOf("#") + 44);
}

/** What a camera sees of a phone's screen: its code, and some of what is around it. */
async function screen(phone: Phone): Promise<Buffer> {
  const code = phone.page.getByTestId("qr").first();
  await code.scrollIntoViewIfNeeded();
  const box = await code.boundingBox();
  if (!box) throw new Error("no code is on the screen");
  const clip = { x: box.x - 10, y: box.y - 10, width: box.width + 20, height: box.height + 20 };
  return capture(phone.page, { clip });
}
