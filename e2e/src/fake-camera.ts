/** What a camera films that is held before another phone's screen: for Chromium's fake camera, which plays a file. */

import { PNG } from "pngjs";

import { randomFrom } from "./random.ts";

/** How somebody holds it. */
export interface Shot {
  /** Share of the picture's height that the screen takes. */
  size: number;
  /** In the picture's plane, in degrees. */
  turn: number;
  /** By how much of the screen's edge the near one looks longer than the far one. */
  tilt: number;
  /** Pixels on each side over which each is averaged. */
  blur: number;
  /** Brightness of a lamp in the screen, up to 255. */
  glare: number;
  /** Most that a pixel is off, of 255. */
  noise: number;
}

export const STILL: Shot = { size: 0.9, turn: 0, tilt: 0, blur: 0, glare: 0, noise: 0 };

const WIDTH = 640;
const HEIGHT = 480;
const FRAMES = 10;
/** Behind the screen. */
const TABLE = 70;

/** A film in YUV4MPEG2, of a hand that is not quite still, without colours. */
export function film(screen: Buffer, shot: Shot): Buffer {
  const picture = PNG.sync.read(screen);
  const colourless = Buffer.alloc((WIDTH * HEIGHT) / 2, 128);
  const parts: Uint8Array[] = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`)];
  const random = randomFrom(1);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const sway = Math.sin((2 * Math.PI * frame) / FRAMES);
    const held = { ...shot, turn: shot.turn + 1.5 * sway };
    parts.push(
      Buffer.from("FRAME\n"),
      light(blurred(seen(picture, held), shot.blur), shot, random),
      colourless,
    );
  }
  return Buffer.concat(parts);
}

/** The screen from where the camera is. */
function seen(picture: PNG, { size, turn, tilt }: Shot): Float32Array {
  const scale = picture.height / (HEIGHT * size);
  const [sin, cos] = [Math.sin((turn * Math.PI) / 180), Math.cos((turn * Math.PI) / 180)];
  return eachPixel((column, row) => {
    const [dx, dy] = [(column - WIDTH / 2) * scale, (row - HEIGHT / 2) * scale];
    const [x, y] = [dx * cos + dy * sin, dy * cos - dx * sin];
    // The lower edge is nearer.
    const near = 1 + (tilt * y) / picture.height;
    return brightness(
      picture,
      Math.round(x / near + picture.width / 2),
      Math.round(y / near + picture.height / 2),
    );
  });
}

function brightness({ data, width, height }: PNG, x: number, y: number): number {
  if (x < 0 || y < 0 || x >= width || y >= height) return TABLE;
  const at = 4 * (y * width + x);
  const [red = 0, green = 0, blue = 0] = data.subarray(at, at + 3);
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

function blurred(pixels: Float32Array, blur: number): Float32Array {
  const along = (of: Float32Array, step: number): Float32Array =>
    eachPixel((column, row) => {
      const at = row * WIDTH + column;
      let sum = 0;
      for (let away = -blur; away <= blur; away += 1) sum += of[at + away * step] ?? TABLE;
      return sum / (2 * blur + 1);
    });
  return blur > 0 ? along(along(pixels, 1), WIDTH) : pixels;
}

function light(pixels: Float32Array, { glare, noise }: Shot, random: () => number): Buffer {
  const lit = eachPixel((column, row) => {
    const away = Math.hypot(column - 390, row - 160) / 110;
    return (pixels[row * WIDTH + column] ?? 0) + glare * Math.exp(-away * away) + noise * (2 * random() - 1);
  });
  return Buffer.from(Uint8ClampedArray.from(lit));
}

function eachPixel(value: (column: number, row: number) => number): Float32Array {
  return Float32Array.from({ length: WIDTH * HEIGHT }, (_, at) => value(at % WIDTH, Math.floor(at / WIDTH)));
}
