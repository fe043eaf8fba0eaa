/** Numbers as people say them. */

/** `1.2 GB`, with 1 GB = 10^9 bytes. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let scaled = value;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${short(scaled)} ${units[unit]}`;
}

/** `3.4 ms`, `340 ms`, `2.4 s`, `1 min 20 s`. */
export function duration(secs: number): string {
  if (secs < 0.00995) return `${Number((secs * 1000).toFixed(1))} ms`;
  if (secs < 0.9995) return `${Math.round(secs * 1000)} ms`;
  if (secs < 59.5) return `${short(secs)} s`;
  const whole = Math.round(secs);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `just now`, `5 minutes ago`, `yesterday`; of what is to come, `just now`. */
export function ago(thenMs: number, nowMs: number): string {
  const minutes = Math.floor((nowMs - thenMs) / 60_000);
  if (minutes < 1) return "just now";
  const [step, unit] = AGES.find(([step]) => minutes >= step) ?? [1, "minute"];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(minutes / step), unit);
}

/** `24 tokens/s`; a time per token would say the same less plainly. */
export function tokenRate(tokensPerSec: number): string {
  return `${short(tokensPerSec)} tokens/s`;
}

/** `12.3 MB/s` */
export function byteRate(bytesPerSec: number): string {
  return `${bytes(bytesPerSec)}/s`;
}

/** A measured value with its standard deviation, `12 ± 0.4 ms`. */
export function spread(value: number, deviation: number | null, say: (value: number) => string): string {
  const said = say(value);
  if (deviation === null) return said;
  const [about, unit] = [say(deviation), said.slice(said.indexOf(" "))];
  return `${about.endsWith(unit) ? said.slice(0, -unit.length) : said} ± ${about}`;
}

/** What became of something that takes so many times as long; nothing where that is hardly more. */
export function slower(times: number): string {
  return times < 1.5 ? "" : `and lately ${short(times)} times as slow`;
}

/** The engine counts in bytes; people do not. */
export function plainBytes(text: string): string {
  return text.replaceAll(/\b(\d{4,}) bytes\b|\b\d{7,}\b/g, (found) => bytes(Number.parseInt(found)));
}

/** `Ada, Ben and Clara` */
export function nameList(names: string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
}

export function percent(part: number, whole: number): number {
  if (whole <= 0) return 0;
  return Math.min(100, Math.max(0, Math.round((100 * part) / whole)));
}

export interface Speed {
  words: string;
  figure: string;
}

/** A measured speed in words, with its number beside it. The words follow what phones reach, not what they promise. */
export function speed(flopsPerSec: number): Speed {
  const giga = flopsPerSec / 1e9;
  const figure = giga >= 999.5 ? `${short(giga / 1000)} TFLOP/s` : `${short(giga)} GFLOP/s`;
  return { words: speedWords(giga), figure };
}

/** What lending this much means, for somebody who does not count in bytes. */
export function lendingWords(value: number): string {
  if (value < 100e6) return "hardly anything: a few photos";
  if (value < 300e6) return "about as much as one browser tab";
  if (value < 800e6) return "about as much as a few browser tabs";
  if (value < 1.8e9) return "about as much as a game";
  if (value < 3.5e9) return "as much as a large game; other apps may close";
  return "most of a phone's memory; other apps will close";
}

/** Up to two letters that stand for a name. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? "");
  return letters.join("").toLocaleUpperCase() || "?";
}

/** Modules in words, counted from 1: `part 2`, `parts 4 to 6`; `end` is one past the last. */
export function rangeName(start: number, end: number): string {
  return end - start === 1 ? `part ${end}` : `parts ${start + 1} to ${end}`;
}

/** In minutes, longest first. */
const AGES: [number, Intl.RelativeTimeFormatUnit][] = [
  [525_600, "year"],
  [43_200, "month"],
  [1440, "day"],
  [60, "hour"],
];

function speedWords(giga: number): string {
  if (giga < 2) return "slow";
  if (giga < 20) return "steady";
  if (giga < 200) return "quick";
  return "very quick";
}

/** Three significant digits, without a tail of zeros. */
function short(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
