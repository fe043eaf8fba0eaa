import type { Browser } from "playwright-core";

import { capture } from "./capture.ts";

export interface PhonePicture {
  caption: string;
  png: Buffer;
}

const PHONE_HEIGHT_PX = 720;

/** One picture of several phones side by side, each in a frame with its caption below. */
export async function sideBySide(browser: Browser, phones: PhonePicture[]): Promise<Buffer> {
  const page = await browser.newPage({ viewport: { width: 2000, height: 1200 }, deviceScaleFactor: 1.5 });
  try {
    await page.setContent(document(phones));
    return await capture(page.locator("main"));
  } finally {
    await page.close();
  }
}

function document(phones: PhonePicture[]): string {
  return `<!doctype html><meta charset="utf-8"><style>
    body { margin: 0; background: #fff; }
    main { display: inline-flex; gap: 36px; padding: 36px; background: #eef1f5; font: 600 17px system-ui, sans-serif; }
    figure { margin: 0; display: grid; gap: 14px; justify-items: center; color: #3c4756; }
    img { height: ${PHONE_HEIGHT_PX}px; border: 10px solid #14181f; border-radius: 34px; box-shadow: 0 12px 28px #14181f33; }
  </style><main>${phones.map(figure).join("")}</main>`;
}

function figure({ caption, png }: PhonePicture): string {
  const text = caption.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<figure><img src="data:image/png;base64,${png.toString("base64")}"><figcaption>${text}</figcaption></figure>`;
}
