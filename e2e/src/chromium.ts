import { chromium, devices, type Browser } from "playwright-core";

import { Phone } from "./phone.ts";
import { settings } from "./settings.ts";

/** Phones of different sizes and makers, as Playwright describes them; their names are also those on the cards. */
export const DESCRIPTORS = [
  "Pixel 7",
  "Galaxy S9+",
  "Pixel 5",
  "Galaxy S24",
  "Pixel 4a (5G)",
  "Galaxy A55",
  "Moto G4",
  "Nexus 6P",
] as const;

export interface ChromiumOptions {
  program?: string;
  isHeaded?: boolean;
  /** Whether the browser has WebGPU. */
  hasGpu?: boolean;
  /** Whether the page was allowed the camera. */
  mayUseCamera?: boolean;
  /** A film (YUV4MPEG2) that its camera sees. */
  camera?: string;
  /** Whether its person went on past the warning of a certificate that nobody vouches for. */
  trustsServer?: boolean;
  /** An origin whose pages count as secure although they come over plain HTTP: `http://10.100.0.1:8080`. */
  trustedOrigin?: string;
}

/** A phone that is a Chromium process of its own, with a profile of its own that goes when it is closed. */
export async function launchChromium(descriptor: string, options: ChromiumOptions = {}): Promise<Phone> {
  const device = devices[descriptor];
  if (!device) throw new Error(`Playwright describes no phone of the name ${descriptor}`);
  const { defaultBrowserType: _, ...look } = device;
  const browser = await launchBrowser(options);
  try {
    const context = await browser.newContext({
      ...look,
      ignoreHTTPSErrors: options.trustsServer ?? false,
      // No person allows it in most tests: but a browser that was allowed it gives other phones its addresses instead of
      // multicast names, which not every machine that tests carries.
      permissions: options.mayUseCamera === false ? [] : ["camera"],
    });
    return new Phone(descriptor, await context.newPage(), () => browser.close());
  } catch (cause) {
    await browser.close();
    throw cause;
  }
}

export function launchBrowser(options: ChromiumOptions = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: options.program ?? settings().chromium,
    headless: !options.isHeaded,
    args: [
      ...BROWSER_FLAGS,
      ...(options.hasGpu === false ? [] : GPU_FLAGS),
      ...cameraFlags(options),
      ...originFlags(options),
    ],
    timeout: LAUNCH_LIMIT_MS,
  });
}

function cameraFlags({ camera }: ChromiumOptions): string[] {
  return camera === undefined
    ? []
    : ["--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${camera}`];
}

function originFlags({ trustedOrigin }: ChromiumOptions): string[] {
  return trustedOrigin === undefined ? [] : [`--unsafely-treat-insecure-origin-as-secure=${trustedOrigin}`];
}

const LAUNCH_LIMIT_MS = 120_000;

/** WebGPU on any adapter; without a graphics chip that is SwiftShader, on the processor. Else there is no adapter. */
export const GPU_FLAGS = ["--enable-unsafe-webgpu"];

const BROWSER_FLAGS = [
  // Containers have no user namespaces for the sandbox.
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The phones of a machine without a network.
  "--allow-loopback-in-peer-connection",
];
