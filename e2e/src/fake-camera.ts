/** What a camera films that is held before another phone's screen: for Chromium's fake camera, which plays a file. */

import { PNG } from "pngjs";

import { randomFrom } from "./random.ts";

/** How somebody holds it, and with what camera. */
export interface Shot {
  /** Pixels of the picture, each way. */
  pixels: [number, number];
  /** Share of the picture's height that the screen takes. */
  size: number;
  /** In the picture's plane, in degrees. */
  turn: number;
  /** By how much of the screen's edge the near one looks longer than the far one, across and down. */
  tilt: [number, number];
  /** Pixels on each side over which each is averaged, at most: the focus comes and goes. */
  blur: number;
  /** 1 for a bright room. */
  light: number;
  /** Brightness of a lamp in the screen, up to 255. */
  glare: number;
  /** Most that a pixel is off, of 255. */
  noise: number;
}

export const STILL: Shot = {
  pixels: [640, 480],
  size: 0.9,
  turn: 0,
  tilt: [0, 0],
  blur: 0,
  light: 1,
  glare: 0,
  noise: 0,
};

const FRAMES = 10;
/** Behind the screen. */
const TABLE = 70;

/** A film in YUV4MPEG2, of a hand that is not quite still, without colours. A seed draws the same noise again. */
export function film(screen: Buffer, shot: Shot, seed = 1): Buffer {
  const picture = PNG.sync.read(screen);
  const [width, height] = shot.pixels;
  const colourless = Buffer.alloc((width * height) / 2, 128);
  const parts: Uint8Array[] = [Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`)];
  const random = randomFrom(seed);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const sway = Math.sin((2 * Math.PI * frame) / FRAMES);
    const blur = Math.round((shot.blur * (1 + Math.cos((2 * Math.PI * frame) / FRAMES))) / 2);
    const held = { ...shot, turn: shot.turn + 1.5 * sway };
    parts.push(
      Buffer.from("FRAME\n"),
      light(blurred(seen(picture, held), shot, blur), shot, random),
      colourless,
    );
  }
  return Buffer.concat(parts);
}

/** The screen from where the camera is. */
function seen(picture: PNG, shot: Shot): Float32Array {
  const { pixels, size, turn, tilt } = shot;
  const scale = picture.height / (pixels[1] * size);
  const [sin, cos] = [Math.sin((turn * Math.PI) / 180), Math.cos((turn * Math.PI) / 180)];
  return eachPixel(shot, (column, row) => {
    const [dx, dy] = [(column - pixels[0] / 2) * scale, (row - pixels[1] / 2) * scale];
    const [x, y] = [dx * cos + dy * sin, dy * cos - dx * sin];
    // The right and the lower edge are nearer.
    const near = 1 + (tilt[0] * x + tilt[1] * y) / picture.height;
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

function blurred(pixels: Float32Array, shot: Shot, blur: number): Float32Array {
  const [width] = shot.pixels;
  const along = (of: Float32Array, step: number): Float32Array =>
    eachPixel(shot, (column, row) => {
      const at = row * width + column;
      let sum = 0;
      for (let away = -blur; away <= blur; away += 1) sum += of[at + away * step] ?? TABLE;
      return sum / (2 * blur + 1);
    });
  return blur > 0 ? along(along(pixels, 1), width) : pixels;
}

function light(seen: Float32Array, shot: Shot, random: () => number): Buffer {
  const [width, height] = shot.pixels;
  const lit = eachPixel(shot, (column, row) => {
    const away = Math.hypot(column - 0.61 * width, row - height / 3) / (0.23 * height);
    const glare = shot.glare * Math.exp(-away * away);
    return (seen[row * width + column] ?? 0) * shot.light + glare + shot.noise * (2 * random() - 1);
  });
  return Buffer.from(Uint8ClampedArray.from(lit));
}

function eachPixel(
  { pixels: [width, height] }: Shot,
  value: (column: number, row: number) => number,
): Float32Array {
  return Float32Array.from({ length: width * height }, (_, at) => value(at % width, Math.floor(at / width)));
}
