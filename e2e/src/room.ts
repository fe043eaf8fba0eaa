import type { RoomPhase, RoomView } from "../../web/src/engine/messages.ts";
import type { PhoneQuery } from "./address.ts";
import type { Phone } from "./phone.ts";
import { STEP_LIMIT_MS } from "./tab.ts";

export interface RoomOptions {
  /**
   * What every phone's address says; the name is the phone's own. Hidden states travel as 32-bit floats unless it says
   * otherwise, because only then tokens do not depend on the phones.
   */
  query?: PhoneQuery;
  /** How the others get the link; usually as the screen shows it. */
  invite?: (coordinator: Phone) => Promise<string>;
  tell?: (line: string) => void;
}

/** Measuring, planning and loading, for each phone in the room: they share the machine. */
const PREPARE_LIMIT_MS = 180_000;

/** The first phone starts a room and the others join it, until all are linked to all. */
export async function gather(
  server: { url: string },
  phones: Phone[],
  options: RoomOptions = {},
): Promise<void> {
  const { query: wishes = {}, invite = (phone) => phone.invitation(), tell = () => {} } = options;
  const query: PhoneQuery = { wire: "f32", balance: "off", ...wishes };
  const [coordinator, ...others] = phones;
  if (!coordinator) throw new Error("a room needs a phone");
  await coordinator.start(server.url, { ...query, name: coordinator.name });
  tell(`${coordinator.name} started a room`);
  if (others.length > 0) {
    const link = await invite(coordinator);
    const join = async (phone: Phone): Promise<void> => {
      await phone.join(link, { ...query, name: phone.name });
      await phone.reach("gathering", STEP_LIMIT_MS);
      tell(`${phone.name} joined it`);
    };
    await Promise.all(others.map(join));
  }
  await Promise.all(phones.map((phone) => phone.meet(phones.length)));
}

/** The coordinator begins; ends when every phone is ready. */
export async function prepare(phones: Phone[], tell: (line: string) => void = () => {}): Promise<RoomView> {
  const [coordinator] = phones;
  if (!coordinator) throw new Error("a room needs a phone");
  await coordinator.begin();
  const limit = PREPARE_LIMIT_MS * phones.length;
  const say = progress(tell);
  const ready = phones.map((phone) => phone.reach("ready", limit, phone === coordinator ? say : undefined));
  const [room] = await Promise.all(ready);
  return room ?? coordinator.room();
}

/** The room's phase as each phone sees it. */
export function phasesOf(phones: Phone[]): Promise<RoomPhase[]> {
  return Promise.all(phones.map(async (phone) => (await phone.room()).phase));
}

/** Tells a phase when it begins, and while weights load how far each phone is. */
function progress(tell: (line: string) => void): (room: RoomView) => void {
  let last = "";
  return (room) => {
    const line = room.phase === "loading" ? loadingLine(room) : PHASE_WORDS[room.phase];
    if (line !== undefined && line !== last) tell(line);
    last = line ?? last;
  };
}

function loadingLine(room: RoomView): string {
  const loading = room.peers.filter((peer) => peer.totalBytes > 0);
  const parts = loading.map((peer) => `${peer.name} ${tenth(peer.loadedBytes / peer.totalBytes)} %`);
  return parts.length > 0 ? `loading: ${parts.join(", ")}` : "loading";
}

/** In steps of ten percent, so that a log stays short. */
function tenth(share: number): number {
  return Math.floor(Math.min(1, share) * 10) * 10;
}

const PHASE_WORDS: Partial<Record<RoomPhase, string>> = {
  measuring: "measuring phones and links",
  planning: "planning",
};
