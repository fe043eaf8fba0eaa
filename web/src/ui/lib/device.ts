/** What to call this device on the others' cards: short, and nothing that the browser does not tell every page. */

interface Hints {
  platform: string;
  getHighEntropyValues(names: string[]): Promise<{ model?: string }>;
}

export async function deviceName(from: Navigator = navigator): Promise<string> {
  const model = await askModel(from);
  return model || nameFromUserAgent(from.userAgent);
}

export function nameFromUserAgent(userAgent: string): string {
  const android = /Android[^;)]*; ([^;)]+?)(?: Build|\)|;)/.exec(userAgent)?.[1];
  // Chrome writes "K" for every phone.
  if (android) return android === "K" ? "Android phone" : android;
  const known: [RegExp, string][] = [
    [/Android/, "Android phone"],
    [/iPhone/, "iPhone"],
    [/iPad/, "iPad"],
    [/CrOS/, "Chromebook"],
    [/Macintosh/, "Mac"],
    [/Windows/, "Windows computer"],
    [/Linux/, "Linux computer"],
  ];
  return known.find(([pattern]) => pattern.test(userAgent))?.[1] ?? "Browser";
}

/** A default for the slider: a quarter of what the browser says the device has, at most 1 GB. */
export function defaultLendingBytes(from: { deviceMemory?: number } = navigator as object): number {
  return Math.min(1e9, ((from.deviceMemory ?? 2) * 1e9) / 4);
}

async function askModel(from: Navigator): Promise<string | undefined> {
  const hints = (from as { userAgentData?: Hints }).userAgentData;
  try {
    return (await hints?.getHighEntropyValues(["model"]))?.model;
  } catch {
    return undefined;
  }
}
