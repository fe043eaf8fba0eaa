/** The memory of all phones of a room over time, and what it comes to. */

import { median } from "../bench/report.ts";
import type { Phone } from "../phone.ts";
import { pause, within } from "../waiting.ts";
import { PhoneMemory, type MemoryFound } from "./phone-memory.ts";

export interface Sample extends MemoryFound {
  at_secs: number;
  phone: string;
  /** Whether it started the room, and so is there all the time. */
  is_header: boolean;
}

/** Medians of the two halves of the time, in bytes. */
export interface Growth {
  first_half: number | null;
  second_half: number | null;
  /** The second by the first. */
  ratio: number | null;
}

export interface MemoryResult {
  header: Growth;
  header_page_heap: Growth;
  header_wasm: Growth;
  /** Of the phones that came and went. */
  others: Growth;
}

export class MemoryWatch {
  readonly samples: Sample[] = [];
  readonly #known = new Map<Phone, Promise<PhoneMemory>>();

  /** One look at each of these, the first of which started the room. Who ends meanwhile is left out. */
  async look(phones: Phone[], at_secs: number): Promise<void> {
    for (const [at, phone] of phones.entries()) {
      const known = this.#known.get(phone) ?? PhoneMemory.of(phone);
      this.#known.set(phone, known);
      const found = known.then((memory) => memory.look());
      const sample = await within(LOOK_LIMIT_MS, `${phone.name}: its memory`, found).catch(() => null);
      if (sample) this.samples.push({ at_secs, phone: phone.name, is_header: at === 0, ...sample });
    }
    await pause(PAUSE_MS);
  }

  result(): MemoryResult {
    return memoryResult(this.samples);
  }
}

export function memoryResult(samples: Sample[]): MemoryResult {
  const [header, others] = [true, false].map((is) => samples.filter(({ is_header }) => is_header === is)) as [
    Sample[],
    Sample[],
  ];
  const middle = (samples.at(-1)?.at_secs ?? 0) / 2;
  const growth = (of: Sample[], value: (sample: Sample) => number): Growth => {
    const first_half = median(of.filter(({ at_secs }) => at_secs < middle).map(value));
    const second_half = median(of.filter(({ at_secs }) => at_secs >= middle).map(value));
    const ratio = first_half === null || second_half === null ? null : second_half / first_half;
    return { first_half, second_half, ratio };
  };
  return {
    header: growth(header, ({ total }) => total),
    header_page_heap: growth(header, ({ page_heap }) => page_heap),
    header_wasm: growth(header, ({ wasm }) => wasm),
    others: growth(others, ({ total }) => total),
  };
}

/** What of it has grown more than {@link MOST_GROWTH} times. */
export function grown(result: MemoryResult): string[] {
  return Object.entries(result).flatMap(([name, { ratio }]: [string, Growth]) =>
    ratio !== null && ratio > MOST_GROWTH
      ? [`${name}: ${ratio.toFixed(3)} times the first half's memory`]
      : [],
  );
}

/** The memory of the second half may be this many times the first half's. */
export const MOST_GROWTH = 1.15;
const LOOK_LIMIT_MS = 5000;
const PAUSE_MS = 5000;
