/** A room that outlives its phones: who is lost is replaced by a phone that nobody knew. */

import type { RoomView } from "../../../web/src/engine/messages.ts";
import { ready } from "../bench/slow-room.ts";
import { DESCRIPTORS, launchChromium } from "../chromium.ts";
import { bundled } from "../golden.ts";
import type { Phone } from "../phone.ts";
import { Program } from "../program.ts";
import { gather } from "../room.ts";
import type { Server } from "../server.ts";
import { settings } from "../settings.ts";
import { pause, until } from "../waiting.ts";
import { noteWasm } from "./phone-memory.ts";
import type { RoomKind } from "./story.ts";

/** A phone and the program that it is. */
export class Seat {
  /** Whether it is linked to the others, and nobody took it away. */
  isHere = false;
  /** How often it was taken away. */
  absences = 0;

  private constructor(
    readonly phone: Phone,
    readonly program: Program,
  ) {}

  static async launch(taken: string[]): Promise<Seat> {
    const look = DESCRIPTORS.find((one) => !taken.includes(one)) ?? DESCRIPTORS[0];
    const program = new Program(settings().chromium);
    const phone = await launchChromium(look, { program: program.path });
    noteWasm(phone);
    return new Seat(phone, program);
  }

  /** As the system takes an app away, or stands it still. */
  lose(signal: "SIGKILL" | "SIGSTOP"): void {
    this.#absent();
    this.program.signal(signal);
  }

  /** A phone that stood still goes on; it notices only then what has become of its links. */
  async thaw(phones: number): Promise<void> {
    this.program.signal("SIGCONT");
    await pause(NOTICE_MS);
    await isLinked(this.phone, phones);
    this.isHere = true;
  }

  /** As its person leaves the room. */
  async leave(): Promise<void> {
    this.#absent();
    await this.phone.page.evaluate(() => window.lingualinked.engine.leave());
    await pause(FAREWELL_MS);
  }

  /** Whatever state it is in. */
  async close(): Promise<void> {
    this.#absent();
    this.program.end();
    await this.phone.close().catch(() => {});
    this.program.close();
  }

  #absent(): void {
    this.isHere = false;
    this.absences += 1;
  }
}

/** A room lasts for hours, and its first link is used all that time. */
const LINK_LIFE_SECS = 30 * 24 * 3600;

export class SoakRoom {
  /** Those that are here; the first started the room. */
  seats: Seat[];
  #link = "";

  private constructor(
    readonly kind: RoomKind,
    coordinator: Seat,
  ) {
    this.seats = [coordinator];
  }

  /** A room of one phone, that nobody has begun. */
  static async open(server: Server, kind: RoomKind): Promise<SoakRoom> {
    const coordinator = await Seat.launch([]);
    const room = new SoakRoom(kind, coordinator);
    await gather(server, [coordinator.phone], { query: { ...room.query, life: LINK_LIFE_SECS } });
    coordinator.isHere = true;
    room.#link = await coordinator.phone.invitation();
    return room;
  }

  get coordinator(): Phone {
    return (this.seats[0] as Seat).phone;
  }

  /** The phone with this id. */
  seat(view: RoomView, id: string): Seat | undefined {
    const name = view.peers.find((peer) => peer.id === id)?.name;
    return this.seats.find(({ phone }) => phone.name === name);
  }

  /** Fresh phones join until there are so many; then it begins, and all are ready. */
  async fill(phones: number): Promise<RoomView> {
    await this.forget();
    while (this.seats.length < phones) await this.join();
    const notice = await this.notice();
    if (notice !== null) throw new Error(notice);
    const view = await ready(this.coordinator, this.kind.assignment);
    await Promise.all(this.seats.map(({ phone }) => phone.reach("ready", READY_LIMIT_MS)));
    return view;
  }

  /** A fresh phone, linked to all that are here. */
  async join(): Promise<Seat> {
    const seat = await Seat.launch(this.seats.map(({ phone }) => phone.name));
    const { model: _, ...query } = this.query;
    await seat.phone.join(this.#link, { ...query, name: seat.phone.name });
    this.seats.push(seat);
    const here = this.seats.filter((one) => one.isHere || one === seat);
    await Promise.all(here.map(({ phone }) => isLinked(phone, here.length)));
    seat.isHere = true;
    return seat;
  }

  /** What the coordinator's screen says is wrong, though the room goes on. */
  async notice(): Promise<string | null> {
    const { error, phase } = await this.coordinator.room();
    return error && `the room is ${phase}, and says: ${error.message}`;
  }

  /** Closes a phone, that may be lost already, for good. */
  async remove(seat: Seat): Promise<void> {
    this.seats = this.seats.filter((one) => one !== seat);
    await seat.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.seats.map((seat) => seat.close()));
  }

  /** Errors that nobody caught, on the phones that are here. */
  get uncaught(): string[] {
    return this.seats.flatMap(({ phone }) => phone.uncaught.map((error) => `${phone.name}: ${error}`));
  }

  /** Waits until the coordinator misses those that are gone. */
  private async forget(): Promise<void> {
    const names = this.seats.map(({ phone }) => phone.name);
    await until(GONE_LIMIT_MS, "a phone that is gone is missed", async () => {
      const { peers } = await this.coordinator.room();
      const others = peers.filter((peer) => !peer.me && peer.link === "open");
      return others.every(({ name }) => names.includes(name)) || undefined;
    });
  }

  /** Hidden states in full, because only then tokens do not depend on the phones; cuts move as users' do. */
  private get query() {
    return { model: bundled().url, pledge: this.kind.pledge, wire: "f32", balance: "on" } as const;
  }
}

/** Waits until it is linked to so many phones, itself among them. */
async function isLinked(phone: Phone, phones: number): Promise<void> {
  await until(LINK_LIMIT_MS, `${phone.name} is linked to ${phones} phones`, async () => {
    const { room } = await phone.view();
    const linked = room?.peers.filter((peer) => peer.me || peer.link === "open") ?? [];
    return linked.length >= phones || undefined;
  });
}

const LINK_LIMIT_MS = 120_000;
/** A link is given up after 15 s of silence. */
const GONE_LIMIT_MS = 60_000;
const READY_LIMIT_MS = 300_000;
const NOTICE_MS = 3000;
/** The page takes half a second for it. */
const FAREWELL_MS = 1000;
