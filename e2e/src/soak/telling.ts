/** One story from its beginning to its end. */

import type { PlanView, RoomView } from "../../../web/src/engine/messages.ts";
import { bundled, type Golden } from "../golden.ts";
import type { Server } from "../server.ts";
import { firstLine } from "../waiting.ts";
import type { Told } from "./kills-result.ts";
import { SoakRoom, type Seat } from "./soak-room.ts";
import { PHONES, type Story } from "./story.ts";
import { finishTimed, greedy, longestGapSecs, pieces, startTimed, type TimedTurn } from "./timed-answer.ts";

/** Where another phone holds what is lost. */
export const COPY_LIMIT_SECS = 2;
/** Where the others have to load it. */
export const LOAD_LIMIT_SECS = 10;

/** In the room of its kind, which is made or filled up for it. What goes wrong is part of what is told. */
export async function tell(story: Story, rooms: Map<string, SoakRoom>, server: Server): Promise<Told> {
  const started = performance.now();
  const { seed, kind, fault, token } = story;
  const told: Told = {
    ...{ seed, room: kind.name, prompt: story.prompt, fault, token },
    ...{ asker: null, lost: null, stages: null, had_copy: null, seen_tokens: null, gap_secs: null },
    ...{ cause: null, pause_secs: null, equal: false, missed: false, story_secs: 0, failure: null },
  };
  try {
    const room = rooms.get(kind.name) ?? (await SoakRoom.open(server, kind));
    rooms.set(kind.name, room);
    await play(story, room, told);
  } catch (cause) {
    told.failure = firstLine(cause);
  }
  told.story_secs = (performance.now() - started) / 1000;
  return told;
}

async function play(story: Story, room: SoakRoom, told: Told): Promise<void> {
  const view = await room.fill(PHONES);
  const victim = room.seats[1 + story.victim] as Seat;
  const others = room.seats.filter((seat) => seat !== victim);
  const asker = others[story.asker] as Seat;
  const golden = bundled().golden(story.prompt);
  Object.assign(told, before(view, asker, victim));

  await startTimed(asker.phone, story.prompt, greedy(golden.tokens.length));
  const { seen, now } = await pieces(asker.phone, story.token);
  victim.lose(story.fault === "killed" ? "SIGKILL" : "SIGSTOP");
  told.seen_tokens = seen;
  const timed = await finishTimed(asker.phone);
  const { plan } = await room.coordinator.room();
  Object.assign(told, { cause: plan?.cause ?? null, pause_secs: plan?.pauseSecs ?? null });
  await room.remove(victim);
  judge(told, timed, golden, now);
  if (room.uncaught.length > 0) told.failure ??= `errors that nobody caught: ${room.uncaught.join("; ")}`;
}

/** Who is who, while all is well. */
function before(view: RoomView, asker: Seat, victim: Seat): Partial<Told> {
  const { plan, peers } = view;
  const id = (seat: Seat): string => peers.find(({ name }) => name === seat.phone.name)?.id ?? "";
  if (!plan) throw new Error("a room that is ready has a plan");
  const stages = plan.stages.map(({ peer, start, end }) => `${peer} ${start}..${end}`);
  const copies = plan.overlap.map(({ peer, start, end }) => `${peer} ${start}..${end}`);
  return {
    asker: part(plan, id(asker)),
    lost: part(plan, id(victim)),
    stages: `${stages.join(", ")}; copies ${copies.join(", ") || "none"}`,
    had_copy: hasCopy(plan, id(victim)),
  };
}

function part({ stages }: PlanView, peer: string): Told["lost"] {
  const at = stages.findIndex((stage) => stage.peer === peer);
  if (at < 0) return "idle phone";
  return at === 0 ? "header" : at === stages.length - 1 ? "tail" : "worker";
}

/** Whether others hold everything that this phone runs; null where it runs nothing. */
export function hasCopy(plan: Pick<PlanView, "stages" | "overlap">, peer: string): boolean | null {
  const own = plan.stages.filter((stage) => stage.peer === peer);
  const modules = own.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at));
  const others = plan.overlap.filter((copy) => copy.peer !== peer);
  const isCopied = (module: number): boolean =>
    others.some(({ start, end }) => start <= module && module < end);
  return modules.length === 0 ? null : modules.every(isCopied);
}

function judge(told: Told, { turn, times }: TimedTurn, golden: Golden, lostAt: number): void {
  if (turn.state !== "done")
    throw new Error(
      turn.state === "failed" ? `the answer failed: ${turn.error.message}` : "the answer did not end",
    );
  told.equal = turn.text === golden.text && String(turn.stats.tokens) === String(golden.tokens);
  told.gap_secs = longestGapSecs(times, lostAt);
  told.missed = told.gap_secs === null;
  // Without a part, or with a copy of it somewhere, nothing is loaded.
  const limit = told.had_copy === false ? LOAD_LIMIT_SECS : COPY_LIMIT_SECS;
  if (!told.equal) told.failure = `the answer is another one: ${JSON.stringify(turn.text)}`;
  else if ((told.gap_secs ?? 0) > limit) told.failure = `the answer stood still for more than ${limit} s`;
}
