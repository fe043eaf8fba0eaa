/** How long an invitation is good for phones that are not known. */

/** Seconds; null is as long as the room is open. */
export type Life = number | null;

export const USUAL_LIFE: Life = 600;

export const LIVES: { life: Life; words: string }[] = [
  { life: 600, words: "10 minutes" },
  { life: 3600, words: "an hour" },
  { life: 86_400, words: "a day" },
  { life: null, words: "as long as this room is open" },
];

const RENEWED_EVERY_SECS = 60;

/** How often it is made anew while it is shown, in milliseconds; null where that would change nothing. */
export function renewalMs(life: Life): number | null {
  return life === null ? null : Math.min(RENEWED_EVERY_SECS, life / 2) * 1000;
}
