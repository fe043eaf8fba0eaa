import type { EngineError, ErrorCode } from "../../engine/messages.ts";
import { plainBytes } from "./format.ts";

/** What the person can do next; the screen knows how. */
export type WayOut = "retry" | "ask_again" | "scan" | "new_room" | "leave" | "edit_prompt" | "none";

export interface Notice {
  title: string;
  /** What to do about it, in a sentence or two. */
  advice: string;
  wayOut: WayOut;
  /** The engine's own words, where they say more. */
  detail: string;
}

/** A plain message for every way in which things go wrong. The engine's own sentence is shown below as the detail. */
const notices: Record<ErrorCode, Omit<Notice, "detail">> = {
  no_webgpu: {
    title: "This browser cannot run a part of the model",
    advice:
      "LinguaLinked computes on the phone's graphics chip through WebGPU. Chrome on Android 12 or newer has it, and so do Safari 26 and the current desktop browsers. Open the link there.",
    wayOut: "none",
  },
  insecure_context: {
    title: "This page needs a secure address",
    advice:
      "Browsers give the graphics chip only to pages opened with https. Open the same address with https:// in front, or start the server with --tls and use the address it prints.",
    wayOut: "none",
  },
  room_full: {
    title: "This room is full",
    advice: "Somebody has to leave before another phone can join. You can also start a room of your own.",
    wayOut: "new_room",
  },
  unreachable: {
    title: "The other phone cannot be reached",
    advice:
      "Put all phones into the same Wi-Fi; a guest network often keeps them apart. Then scan the code again.",
    wayOut: "retry",
  },
  room_gone: {
    title: "This room is no longer there",
    advice:
      "A room ends when the phone that started it leaves. Ask for a new QR code, or start a room yourself.",
    wayOut: "new_room",
  },
  phone_left: {
    title: "A phone left the room",
    advice:
      "Its part of the model went with it, and the others have no room for that. Let it join again, or another phone. Keep this page in front on every phone: a hidden page falls asleep.",
    wayOut: "leave",
  },
  prompt_too_long: {
    title: "That is more text than the model can read",
    advice:
      "Shorten it and send it again. What was said before counts too: a new conversation has more room.",
    wayOut: "edit_prompt",
  },
  does_not_fit: {
    title: "The model does not fit",
    advice:
      "The phones together lend less memory than the model needs. Lend more, bring another phone, or choose a smaller model.",
    wayOut: "leave",
  },
  server_unreachable: {
    title: "The server does not answer",
    advice:
      "Check that this phone is on the same Wi-Fi as the others and that the server is running, then try again. Joining others needs the server; starting a room on this phone alone does not.",
    wayOut: "retry",
  },
  model_unavailable: {
    title: "The model could not be read",
    advice: "The file is missing, damaged or of a kind that is not supported. Choose another model.",
    wayOut: "leave",
  },
  device_lost: {
    title: "The graphics chip stopped",
    advice:
      "The browser took it away, often because memory ran short. Close other apps and tabs, lend less memory, and try again.",
    wayOut: "retry",
  },
  device_failed: {
    title: "A phone could not do its part",
    advice:
      "Often its memory ran short, or its connection broke while the model came in. Close other apps and tabs there, or lend less of it, and start again.",
    wayOut: "leave",
  },
  out_of_memory: {
    title: "A phone ran out of memory",
    advice:
      "Its graphics chip had no room for its part. Lend less of it, or close other apps and tabs there, and start again.",
    wayOut: "leave",
  },
  too_slow: {
    title: "That took too long",
    advice:
      "A phone or its connection did not answer in time. Move the phones closer to the Wi-Fi and try again.",
    wayOut: "retry",
  },
  busy: {
    title: "The room is busy",
    advice: "It is still working on other questions. Wait for one to finish, then send yours again.",
    wayOut: "edit_prompt",
  },
  turned_away: {
    title: "You were not let in",
    advice: "The person at the other phone turned this one away. If that was a mistake, ask again.",
    wayOut: "ask_again",
  },
  locked: {
    title: "The room is locked",
    advice: "Nobody else may come in just now. Ask for it to be unlocked, then try again.",
    wayOut: "ask_again",
  },
  unanswered: {
    title: "Nobody answered",
    advice: "Show the person at the other phone that you are waiting, and ask again.",
    wayOut: "ask_again",
  },
  crowded: {
    title: "Many phones want to come in",
    advice: "Wait until the others are in, then ask again.",
    wayOut: "ask_again",
  },
  expired: {
    title: "This invitation has expired",
    advice: "Ask for a new one: scan the code that the other phone shows now.",
    wayOut: "scan",
  },
  removed: {
    title: "This phone was taken out of the room",
    advice:
      "The person at the phone that started the room did that. You can ask to come in again, with a new code.",
    wayOut: "scan",
  },
  internal: {
    title: "Something went wrong",
    advice: "This is a mistake in LinguaLinked, not yours. Starting again usually helps.",
    wayOut: "retry",
  },
};

/** `hasGuests`: this phone started the room, and others are in it. */
export function noticeFor(error: EngineError, hasGuests = false): Notice {
  if (error === damagedInvitation) return damagedNotice;
  const notice = { ...(notices[error.code] ?? notices.internal), detail: plainBytes(error.message) };
  // The planner knows which limit it was, and what would help.
  if (error.code === "does_not_fit" && notice.detail) return { ...notice, advice: notice.detail, detail: "" };
  if (hasGuests && notice.wayOut === "retry") return { ...notice, advice: `${notice.advice} ${newCode}` };
  const { promptTokens, contextTokens } = error;
  if (error.code !== "prompt_too_long" || promptTokens === undefined || contextTokens === undefined)
    return notice;
  const counts = `Your text has ${promptTokens} tokens; the model reads at most ${contextTokens}.`;
  return { ...notice, advice: `${counts} ${notice.advice}` };
}

/** A phone that starts a room again starts another one. */
const newCode = "This phone started the room, so that opens a new one: let the others scan its code.";

/** For an invitation whose secret is not complete: a link cut off on its way. */
export const damagedInvitation: EngineError = { code: "room_gone", message: "" };

const damagedNotice: Notice = {
  title: "This invitation is not complete",
  advice: "A part of the link is missing. Scan the QR code again, or copy the whole link.",
  wayOut: "new_room",
  detail: "",
};
