import type { RoomView } from "../../engine/messages.ts";
import { phonesInOrder, type Phone } from "./phones.ts";

/** What a model needs beside what the phones lend, in bytes. */
export interface Fit {
  neededBytes: number;
  lentBytes: number;
  /** 0 where the weights alone would fit. */
  missingBytes: number;
  lenders: { phone: Phone; bytes: number }[];
}

/** Null until the model is known. */
export function fitOf(room: RoomView): Fit | null {
  if (room.model === null) return null;
  const neededBytes = room.model.weightsBytes;
  const lenders = phonesInOrder(room)
    .filter(({ peer }) => peer.link !== "lost")
    .map((phone) => ({ phone, bytes: phone.peer.pledgeBytes ?? 0 }));
  const lentBytes = lenders.reduce((sum, { bytes }) => sum + bytes, 0);
  return { neededBytes, lentBytes, missingBytes: Math.max(0, neededBytes - lentBytes), lenders };
}
