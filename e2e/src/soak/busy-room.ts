/** A room that is asked all the time while its phones come and go. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Tell } from "../driver.ts";
import type { Phone } from "../phone.ts";
import { randomFrom } from "../random.ts";
import type { Server } from "../server.ts";
import { settings } from "../settings.ts";
import { firstLine, pause } from "../waiting.ts";
import { Asking, type Asked } from "./asking.ts";
import { Comings, type ComingsCounts, type Mark } from "./comings.ts";
import { grown, MemoryWatch, type MemoryResult, type Sample } from "./memory-watch.ts";
import { SoakRoom } from "./soak-room.ts";
import { PHONES, type RoomKind } from "./story.ts";

export interface RequestsOptions {
  minutes: number;
  seed: number;
  /** Where the samples go. */
  folder?: string;
}

/** The last line of the output. */
export interface RequestsResult {
  minutes: number;
  seed: number;
  asked: Asked;
  comings: ComingsCounts;
  memory: MemoryResult;
  /** Answers that were lost or changed, phones that did not come back, memory that grew. */
  failures: string[];
  /** A file with {@link MemoryStory}. */
  memory_file: string;
}

/** What `cargo xtask soak` draws. */
export interface MemoryStory {
  title: string;
  samples: Sample[];
  marks: Mark[];
}

export async function soakRequests(
  { minutes, seed, folder = settings().output }: RequestsOptions,
  server: Server,
  tell: Tell,
): Promise<RequestsResult> {
  const room = await SoakRoom.open(server, KIND);
  try {
    await room.fill(PHONES);
    tell(`${PHONES} phones are ready`);
    const soak = new BusyRoom(room, seed, tell);
    await soak.run(60 * minutes);
    return { minutes, seed, ...soak.result(minutes), memory_file: soak.write(folder) };
  } finally {
    await room.close();
  }
}

class BusyRoom {
  readonly #failures: string[] = [];
  readonly #memory = new MemoryWatch();
  readonly #asking: Asking;
  readonly #comings: Comings;
  readonly #started = performance.now();

  constructor(
    private readonly room: SoakRoom,
    private readonly seed: number,
    private readonly tell: Tell,
  ) {
    // One each: what comes does not depend on how fast questions are answered.
    this.#asking = new Asking(randomFrom(seed));
    this.#comings = new Comings(room, randomFrom(seed + 1), (name) => {
      this.#asking.somethingHappened();
      this.tell(`${name}; ${this.#asking.inWords()}`);
    });
  }

  /** Until the time is over, or too much has failed. */
  async run(secs: number): Promise<void> {
    const goesOn = (): boolean => this.#secs < secs && this.#failures.length < MOST_FAILURES;
    const until = async (act: () => Promise<void>): Promise<void> => {
      while (goesOn()) await act().catch((cause: unknown) => this.#fail(firstLine(cause)));
    };
    const asking = this.#askOnAll(goesOn);
    await Promise.all([
      asking,
      until(() => this.#comings.next(goesOn)),
      until(() => this.#memory.look(this.#phones, this.#secs)),
    ]);
  }

  result(minutes: number): Pick<RequestsResult, "asked" | "comings" | "memory" | "failures"> {
    const memory = this.#memory.result();
    const uncaught = this.room.uncaught.map((error) => `an error that nobody caught: ${error}`);
    const grew = minutes >= STEADY_MINUTES ? grown(memory) : [];
    return {
      asked: this.#asking.asked,
      comings: this.#comings.counts,
      memory,
      failures: [...this.#failures, ...uncaught, ...grew],
    };
  }

  /** Returns the file's name. */
  write(folder: string): string {
    mkdirSync(folder, { recursive: true });
    const title = `${this.#asking.inWords()} while phones came and went, seed ${this.seed}`;
    const story: MemoryStory = { title, samples: this.#memory.samples, marks: this.#comings.marks };
    const file = join(folder, "memory.json");
    writeFileSync(file, JSON.stringify(story));
    return file;
  }

  /** Every phone that is here asks one question after the other. */
  async #askOnAll(goesOn: () => boolean): Promise<void> {
    const busy = new Map<Phone, Promise<void>>();
    while (goesOn()) {
      for (const seat of this.room.seats) {
        if (busy.has(seat.phone) || !seat.isHere) continue;
        const asks = async (): Promise<void> => {
          while (goesOn() && seat.isHere) await this.#asking.ask(seat);
        };
        const failed = (cause: unknown): void => this.#fail(firstLine(cause));
        busy.set(
          seat.phone,
          asks()
            .catch(failed)
            .finally(() => busy.delete(seat.phone)),
        );
      }
      await pause(LOOK_MS);
    }
    await Promise.all(busy.values());
  }

  #fail(why: string): void {
    this.#failures.push(`after ${this.#secs.toFixed(0)} s: ${why}`);
    this.tell(`FAILED: ${why}`);
  }

  get #phones(): Phone[] {
    return this.room.seats.filter(({ isHere }) => isHere).map(({ phone }) => phone);
  }

  get #secs(): number {
    return (performance.now() - this.#started) / 1000;
  }
}

/** Any two can run the model. */
const KIND: RoomKind = { name: "busy", pledge: "share:2.2:3", assignment: "equal" };
/** In less time what browsers take in the beginning is too much of it. */
const STEADY_MINUTES = 10;
const LOOK_MS = 200;
const MOST_FAILURES = 10;
