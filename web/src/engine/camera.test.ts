import { afterEach, describe, expect, it, vi } from "vitest";

import { reader, type Reader } from "./camera.ts";

const video = {} as HTMLVideoElement;
const ours: Reader = () => Promise.resolve("ours");
const detect = vi.fn((_: HTMLVideoElement) => Promise.resolve([{ rawValue: "the browser's" }]));
const made = vi.fn();

afterEach(() => {
  vi.unstubAllGlobals();
  vi.clearAllMocks();
});

/** In a browser whose detector reads what `formats` tells; undefined is a browser without one. */
function readerWhere(formats?: () => Promise<string[]>): Promise<Reader> {
  class Detector {
    static readonly getSupportedFormats = formats;
    readonly detect = detect;
    constructor(options: { formats: string[] }) {
      made(options);
    }
  }
  vi.stubGlobal("window", formats ? { BarcodeDetector: Detector } : {});
  return reader(() => Promise.resolve(ours));
}

describe("the browser's own reader", () => {
  it("reads where it knows QR codes, and looks for nothing else", async () => {
    const read = await readerWhere(() => Promise.resolve(["aztec", "qr_code", "ean_13"]));
    expect(await read(video)).toBe("the browser's");
    expect(made.mock.calls).toEqual([[{ formats: ["qr_code"] }]]);
    expect(detect.mock.calls).toEqual([[video]]);
  });

  it("sees nothing where there is no code", async () => {
    const read = await readerWhere(() => Promise.resolve(["qr_code"]));
    detect.mockResolvedValueOnce([]);
    expect(await read(video)).toBeNull();
  });

  it("is given up for ours once it fails", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    const read = await readerWhere(() => Promise.resolve(["qr_code"]));
    detect.mockRejectedValueOnce(new DOMException("no service", "InvalidStateError"));
    expect(await read(video)).toBeNull();
    expect(await read(video)).toBe("ours");
    expect(await read(video)).toBe("ours");
    expect(detect).toHaveBeenCalledTimes(1);
    expect(warned).toHaveBeenCalledTimes(1);
    warned.mockRestore();
  });

  it.each<[string, (() => Promise<string[]>) | undefined]>([
    ["knows other codes alone", () => Promise.resolve(["aztec", "ean_13"])],
    ["knows none, as where its service is missing", () => Promise.resolve([])],
    ["does not tell", () => Promise.reject(new DOMException("no service", "NotSupportedError"))],
    ["is not there", undefined],
  ])("gives way to ours where it %s", async (_, formats) => {
    expect(await readerWhere(formats)).toBe(ours);
    expect(made).not.toHaveBeenCalled();
  });
});
