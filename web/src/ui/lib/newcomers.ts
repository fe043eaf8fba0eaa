import type { PeerView, RoomView } from "../../engine/messages.ts";
import { nameList } from "./format.ts";
import { coordinatorName } from "./phones.ts";
import { isInPlan } from "./plan.ts";

/** Phones that came when the model was already shared out, and could take a part. */
export function newcomers({ phase, plan, peers }: RoomView): PeerView[] {
  if (phase !== "ready" || plan === null) return [];
  return peers.filter(
    (peer) =>
      (peer.me || peer.link === "open") &&
      peer.stage === null &&
      peer.remark === null &&
      !isInPlan(plan, peer.id),
  );
}

/** Who is here too, and what can be done about it, for the phone that looks. */
export function newcomerWords(room: RoomView): string {
  const here = newcomers(room);
  const names = here.filter((peer) => !peer.me).map((peer) => peer.name);
  const all = names.length < here.length ? ["You", ...names] : names;
  const verb = here.length > 1 || all[0] === "You" ? "are" : "is";
  const who = `${nameList(all)} ${verb} here too`;
  if (room.me === room.coordinator) return `${who}. Share the model out again?`;
  return `${who}; ${coordinatorName(room)} can share the model out again.`;
}
