/** Phones that join a room, leave it, are killed and stand still, one after the other and at random. */

import { pause } from "../waiting.ts";
import { ready } from "../bench/slow-room.ts";
import type { Seat, SoakRoom } from "./soak-room.ts";
import { PHONES } from "./story.ts";

type Coming = "joined" | "left" | "killed" | "frozen";
export type ComingsCounts = Record<Coming, number>;

/** What happened, and when. */
export interface Mark {
  at_secs: number;
  name: Coming;
}

export class Comings {
  readonly counts: ComingsCounts = { joined: 0, left: 0, killed: 0, frozen: 0 };
  readonly marks: Mark[] = [];
  readonly #started = performance.now();

  constructor(
    private readonly room: SoakRoom,
    private readonly random: () => number,
    private readonly happened: (what: string) => void,
  ) {}

  /** After a while, one thing happens. Not where the time is over before that. */
  async next(goesOn: () => boolean): Promise<void> {
    const end = performance.now() + 1000 * (SHORTEST_SECS + MORE_SECS * this.random());
    while (performance.now() < end && goesOn()) await pause(200);
    if (!goesOn()) return;
    await this.#happen();
    const notice = await this.room.notice();
    if (notice !== null) throw new Error(notice);
  }

  async #happen(): Promise<void> {
    const coming = this.#draw();
    if (coming === "joined") return this.#join();
    const seat = this.room.seats[1 + Math.floor((this.room.seats.length - 1) * this.random())] as Seat;
    this.#note(seat, coming);
    if (coming === "frozen") return this.#freeze(seat);
    if (coming === "killed") seat.lose("SIGKILL");
    else await seat.leave();
    await this.room.remove(seat);
  }

  #draw(): Coming {
    const { length } = this.room.seats;
    const possible: Coming[] = [
      ...(length < MOST_PHONES ? (["joined"] as const) : []),
      ...(length >= PHONES ? (["left", "killed", "frozen"] as const) : []),
    ];
    return possible[Math.floor(possible.length * this.random())] as Coming;
  }

  /** A phone that nobody knew, and then everything is shared out again, whatever is under way. */
  async #join(): Promise<void> {
    const seat = await this.room.join();
    this.#note(seat, "joined");
    await ready(this.room.coordinator, this.room.kind.assignment);
  }

  /** For a moment, but long enough that the others go on without it. Then it must come back. */
  async #freeze(seat: Seat): Promise<void> {
    const secs = 1 + LONGEST_FREEZE_SECS * this.random();
    seat.lose("SIGSTOP");
    await pause(1000 * secs);
    await seat.thaw(this.room.seats.length);
    this.happened(`${seat.phone.name} is back after ${secs.toFixed(0)} s`);
  }

  #note(seat: Seat, coming: Coming): void {
    this.counts[coming] += 1;
    const name = `${seat.phone.name} ${coming}`;
    this.marks.push({ at_secs: (performance.now() - this.#started) / 1000, name: coming });
    this.happened(name);
  }
}

const MOST_PHONES = 4;
const SHORTEST_SECS = 6;
const MORE_SECS = 12;
/** Shorter than the 15 s of silence after which links are given up. */
const LONGEST_FREEZE_SECS = 10;
