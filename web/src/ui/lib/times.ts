import type { RoomView } from "../../engine/messages.ts";
import { duration } from "./format.ts";
import { tokenWay } from "./plan.ts";
import type { Phone } from "./phones.ts";

/** What a phone does while a token is made: measured where that is known, else expected; it waits for the rest. */
export interface PhoneTime {
  phone: Phone;
  computeSecs: number;
  /** No frame is timed by itself: what its links take, as pings have told. */
  sendSecs: number;
  waitSecs: number;
  /** Of the whole, 0 to 1. */
  share: { compute: number; send: number; wait: number };
}

/** Each phone of the plan once, in ring order. */
export function phoneTimes(room: RoomView): PhoneTime[] {
  const legs = tokenWay(room);
  const hops = legs.flatMap((leg) => leg.hops);
  const phones = [...new Map(legs.map(({ phone }) => [phone.peer.id, phone])).values()];
  const sum = (secs: number[]): number => secs.reduce((all, one) => all + one, 0);
  const busy = phones.map((phone) => {
    const own = legs.filter((leg) => leg.phone.peer.id === phone.peer.id);
    const computeSecs = sum(own.map(({ secs, measuredSecs }) => measuredSecs ?? secs));
    const sent = hops.filter(({ from }) => from.peer.id === phone.peer.id);
    return { phone, computeSecs, sendSecs: sum(sent.map((hop) => hop.latelySecs)) };
  });
  const told = room.plan?.measuredTokenSecs ?? room.plan?.predictedTokenSecs ?? 0;
  return busy.map(({ phone, computeSecs, sendSecs }) => {
    const whole = Math.max(told, computeSecs + sendSecs);
    const waitSecs = whole - computeSecs - sendSecs;
    const part = (secs: number): number => (whole > 0 ? secs / whole : 0);
    const share = { compute: part(computeSecs), send: part(sendSecs), wait: part(waitSecs) };
    return { phone, computeSecs, sendSecs, waitSecs, share };
  });
}

export function timeWords({ phone, computeSecs, sendSecs, waitSecs }: PhoneTime): string {
  const parts = [`computes ${duration(computeSecs)}`, `sends ${duration(sendSecs)}`];
  if (waitSecs > 0) parts.push(`waits ${duration(waitSecs)}`);
  return `${phone.peer.name} ${parts.join(", ")}.`;
}
