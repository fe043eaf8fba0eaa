/** Looks for QR codes through this phone's camera. */

/** Part of the Shape Detection API, which the DOM's types do not list: Chrome has it on Android and on macOS. */
declare global {
  interface BarcodeDetector {
    detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
  }
  interface Window {
    BarcodeDetector?: {
      new (options: { formats: string[] }): BarcodeDetector;
      getSupportedFormats(): Promise<string[]>;
    };
  }
}

/** The text of a code that the camera sees now; null while there is none. */
export type Reader = (video: HTMLVideoElement) => Promise<string | null>;

/** Between two looks, so that the phone does not get warm. */
const PAUSE_MS = 120;
/** A code on a screen at arm's length is wide enough with so many pixels across the picture. */
const MOST_PIXELS_ACROSS = 800;

/** The camera at the back, where there is one. Rejects as `getUserMedia` does. */
export function openCamera(): Promise<MediaStream> {
  const video = { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 960 } };
  return navigator.mediaDevices.getUserMedia({ audio: false, video });
}

export function closeCamera(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** Every text that the camera sees, until `signal` ends it. */
export async function* watch(
  video: HTMLVideoElement,
  read: Reader,
  signal: AbortSignal,
): AsyncGenerator<string> {
  while (!signal.aborted) {
    const text = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? await read(video) : null;
    if (text !== null && !signal.aborted) yield text;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** The browser's own reader, or ours where it has none, or one that fails. */
export async function reader(ours: () => Promise<Reader> = ownReader): Promise<Reader> {
  const Detector = window.BarcodeDetector;
  const formats = (await Detector?.getSupportedFormats().catch(() => [])) ?? [];
  if (!Detector || !formats.includes("qr_code")) return ours();
  const detector = new Detector({ formats: ["qr_code"] });
  let inPlace: Reader | undefined;
  return async (video) => {
    if (inPlace) return inPlace(video);
    try {
      return (await detector.detect(video))[0]?.rawValue ?? null;
    } catch (cause) {
      console.warn("the browser's own reader of codes is given up", cause);
      inPlace = await ours();
      return null;
    }
  };
}

async function ownReader(): Promise<Reader> {
  const { default: start, readQr } = await import("../generated/lingualinked_scan.js");
  await start();
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser draws no pictures");
  let looks = 0;
  return async (video) => {
    const { part, halved } = LOOKS[looks++ % LOOKS.length] ?? WHOLE;
    const [wide, high] = [video.videoWidth * part, video.videoHeight * part];
    const shrunk = Math.min(1, MOST_PIXELS_ACROSS / wide);
    canvas.width = Math.round(wide * shrunk);
    canvas.height = Math.round(high * shrunk);
    const [left, top] = [(video.videoWidth - wide) / 2, (video.videoHeight - high) / 2];
    context.drawImage(video, left, top, wide, high, 0, 0, canvas.width, canvas.height);
    const { data, width } = context.getImageData(0, 0, canvas.width, canvas.height);
    return readQr(new Uint8Array(data.buffer), width, halved) ?? null;
  };
}

/** One way to look at a picture. */
interface Look {
  /** Of its width and height, in the middle. */
  part: number;
  halved: boolean;
}

const WHOLE: Look = { part: 1, halved: false };

/**
 * One after the other, a picture each, so that no picture costs more than one look: large codes that are sharp, those out
 * of focus or in bad light, and small ones in the middle, with all the pixels that the camera has.
 */
const LOOKS: Look[] = [
  WHOLE,
  { part: 1, halved: true },
  { part: 0.6, halved: false },
  { part: 1, halved: true },
];
