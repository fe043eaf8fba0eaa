/** Short codes as people read, type and paste them. */

import type { CodeEnd, RedeemFailure } from "../../engine/messages.ts";

export const CODE_DIGITS = 10;

/** The digits of a text, whatever stands between them. */
export function digitsOf(text: string): string {
  return text.normalize("NFKC").replace(/\D/g, "").slice(0, CODE_DIGITS);
}

/** As it is shown, as far as there are digits: `4821 - 317 592`. Nothing stands at the end that could not be deleted. */
export function grouped(digits: string): string {
  const [place, first, second] = [digits.slice(0, 4), digits.slice(4, 7), digits.slice(7)];
  return place + (first && ` - ${first}`) + (second && ` ${second}`);
}

/** Where the caret stands behind so many digits. */
export function caretAfter(text: string, digits: number): number {
  let seen = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (seen === digits) return at;
    if (/\d/.test(text.charAt(at))) seen += 1;
  }
  return text.length;
}

/** Digit by digit, for who hears it. */
export function spelled(text: string): string {
  return grouped(digitsOf(text))
    .split(/\D+/)
    .map((group) => [...group].join(" "))
    .join(", ");
}

export const REDEEM_TROUBLE: Record<RedeemFailure, string> = {
  bad_code: "A code has ten digits: four and six.",
  wrong_code:
    "That is not the code. Look at it again: after three wrong ones the other phone needs a new code.",
  code_gone: "No phone shows this code, or not any more. Ask for a new one.",
  code_busy: "Another phone is typing this code just now. Try again in a few seconds.",
  locked_out: "Too many codes were tried from your network. Wait ten minutes, or scan the QR code.",
  no_answer: "The other phone does not answer. Keep its page in front, and try again.",
  unreachable: "The server cannot be reached. Check the network, and try again.",
  forged:
    "The answer was not from the phone that shows the code: somebody may be between the two. Ask for a new code.",
};

/** A code that was tried is not asked for again: whoever is between the phones could guess with each time. */
export const TRIED_BEFORE = "This code was tried already. Look at it again, or ask for a new one.";

export const CODE_END: Record<CodeEnd, string> = {
  guessed: "Somebody typed a wrong code three times. This code is good no longer.",
  expired: "The time of this code is over.",
  server_full: "The server has no place for another code just now.",
  lost: "The way to the server was lost, and the code with it.",
};
