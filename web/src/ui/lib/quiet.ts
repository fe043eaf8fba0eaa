import { isOver, type EngineView } from "../../engine/view.ts";

/**
 * How much the phones of a room have done and loaded, by which one sees whether they do anything: of an answer to somebody
 * else nothing else tells. Null while the network is wanted for the room in any case. Before it is ready it is: the
 * measuring may begin at any moment.
 */
export function workDone({ room, turns }: EngineView): number | null {
  if (room?.phase !== "ready" || turns.some((turn) => !isOver(turn))) return null;
  return room.peers.reduce((sum, { counters }) => sum + counters.stepsRun + counters.bytesFetched, 0);
}
