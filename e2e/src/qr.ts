// The package is CommonJS; bundlers and Node disagree on what its default is.
import * as jsqr from "jsqr";
import { PNG } from "pngjs";

type Decode = typeof jsqr.default;
const decode = ((jsqr.default as unknown as { default?: Decode }).default ?? jsqr.default) as Decode;

/** The text of the QR code in a PNG picture; null when there is none that can be read. */
export function readQr(picture: Buffer): string | null {
  const { data, width, height } = PNG.sync.read(picture);
  return decode(new Uint8ClampedArray(data), width, height)?.data ?? null;
}
