import type { AskerView, DoorView } from "../../engine/messages.ts";

/** Who stands at the door, as one would say it. Where a person has named the phone, what it is tells more. */
export function askingWords({ name, device }: Pick<AskerView, "name" | "device">): string {
  const who = device === "" || name.includes(device) ? name : `${name} (${device})`;
  return `${who} wants to come in`;
}

/** What the code does. */
export function inviteWords(door: Pick<DoorView, "locked" | "admitsAll"> | null): string {
  if (door?.locked) return "The room is locked: nobody new comes in by it until you unlock it.";
  if (door?.admitsAll) return "Whoever scans it comes in without asking.";
  return "Whoever scans it asks you to come in.";
}
