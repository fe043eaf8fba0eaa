/** A room of three fresh phones, each with a part of a processor. */

import type { Assignment, RoomView } from "../../../web/src/engine/messages.ts";
import type { PhoneQuery } from "../address.ts";
import { DESCRIPTORS, launchChromium } from "../chromium.ts";
import { bundled } from "../golden.ts";
import { PhoneError, type Phone } from "../phone.ts";
import { Quota } from "../quota.ts";
import { gather } from "../room.ts";
import type { Server } from "../server.ts";
import { settings } from "../settings.ts";

export interface SlowRoom {
  coordinator: Phone;
  phones: Phone[];
  /** Of the phones, in their order. */
  quotas: Quota[];
}

/** Makes one, does something in it, and closes it. */
export async function inSlowRoom<T>(
  server: Server,
  shares: number[],
  query: PhoneQuery,
  act: (room: SlowRoom) => Promise<T>,
): Promise<T> {
  const quotas = shares.map((share) => new Quota(share));
  const phones: Phone[] = [];
  try {
    for (const [at, quota] of quotas.entries()) {
      const program = quota.wrap(settings().chromium);
      phones.push(await launchChromium(DESCRIPTORS[at] ?? DESCRIPTORS[0], { program }));
    }
    await gather(server, phones, { query: { model: bundled().url, ...query } });
    const [coordinator] = phones;
    if (!coordinator) throw new Error("a room needs a phone");
    return await act({ coordinator, phones, quotas });
  } finally {
    await Promise.allSettled(phones.map((phone) => phone.close()));
    await Promise.all(quotas.map((quota) => quota.close()));
  }
}

/** Begins and waits in the page: looking at it again and again would take the processor from what is measured. */
export async function ready(phone: Phone, assignment: Assignment): Promise<RoomView> {
  const room = await phone.page.evaluate(
    async ([how, limitMs]) => {
      const { engine } = window.lingualinked;
      await engine.view.when((view) => view.room?.model != null);
      engine.begin(how);
      await engine.view.when((view) => view.room?.phase === "measuring" || view.room?.phase === "loading");
      const late = new Promise<never>((_, reject) => {
        setTimeout(() => reject(new Error("the room was not ready in time")), limitMs);
      });
      const settled = engine.view.when((view) => view.room?.phase === "ready" || view.room?.error != null);
      return (await Promise.race([settled, late])).room;
    },
    [assignment, READY_LIMIT_MS] as const,
  );
  if (!room) throw new Error("the room is gone");
  if (room.error) throw new PhoneError(phone.name, room.phase, room.error);
  return room;
}

const READY_LIMIT_MS = 300_000;
