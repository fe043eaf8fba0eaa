/**
 * Everything that crosses between the page thread and the engine worker.
 *
 * The worker owns the engine (signaling, session, model, data channels); the page thread owns the peer connections
 * and the screen. These types are the whole contract between the two: every message is a plain structured-clone
 * value, except the channels in `RtcEvent`, which are transferred. Units are in the names.
 */

import type { AskerView, DoorConfig, DoorView, Identity, RememberedBy } from "./door.ts";
import type { RtcCommand, RtcEvent } from "./rtc-messages.ts";

export type * from "./door.ts";
export type * from "./rtc-messages.ts";

/** What the page asks of the worker. */
export type ToWorker =
  | { type: "start"; config: StartConfig }
  /** Model files that a person picked on this phone; may come before `start`, and replaces those picked before. */
  | { type: "files"; files: File[] }
  /** Coordinator: everybody is here, measure and plan. */
  | { type: "begin"; assignment: Assignment }
  /** Answer the last message of a conversation. A model without a chat template reads only that one. */
  | { type: "ask"; ask: number; messages: ChatMessage[]; options: AskOptions }
  /** Coordinator: count the prompt's tokens, before anything is loaded. Answered by `checked`. */
  | { type: "check"; ask: number; prompt: string }
  /** Assign modules to devices, without a room. Answered by `planned`. */
  | { type: "plan"; input: PlanInput }
  | { type: "stop"; ask: number }
  /** This phone had better have nothing to do; null once it may again. */
  | { type: "away"; why: AwayReason | null }
  /** Coordinator: these phones come in without asking, in place of those that were named before. At most 256 count. */
  | { type: "trust"; identities: Identity[] }
  /**
   * Coordinator: by what this phone is known, which its invitations name; null where every link has another key. The first
   * invitation waits for it.
   */
  | { type: "own"; identity: Identity | null }
  /** Coordinator: another invitation, good for so long from now; null is as long as the room is open. */
  | { type: "invite"; lifeSecs: number | null }
  /** Coordinator: another home; invitations that were given out are over, and phones that are remembered and here hear of it. */
  | { type: "home"; secret: string; ticketKey: string }
  /** Coordinator: a phone that asks (`RoomView.door.askers`) may come in. */
  | { type: "letIn"; peer: string }
  /** Coordinator: a phone that asks may not come in. */
  | { type: "turnAway"; peer: string }
  /** Coordinator: whether nobody else may come in. Who was in before, or is trusted, still may. */
  | { type: "lock"; locked: boolean }
  /** Coordinator: this phone is to leave at once, and has to ask if it comes back. */
  | { type: "remove"; identity: Identity }
  /** Coordinator: show a short code that brings `invitation`, what goes after the `#` of a link. Told by `code`. */
  | { type: "offerCode"; invitation: string }
  | { type: "withdrawCode" }
  /** Get what the phone that shows this code offers, without a room. Answered by `redeemed` or `redeemFailed`. */
  | { type: "redeem"; signalUrl: string; code: string }
  /** This phone may have come into another network. */
  | { type: "network" }
  | { type: "leave" }
  | { type: "rtc"; event: RtcEvent };

/** Why a phone had better have nothing to do: its page is not in front, or its battery nearly empty. */
export type AwayReason = "hidden" | "low_battery";

/** What the worker tells the page. */
export type FromWorker =
  /** The engine is compiled and takes messages. */
  | { type: "loaded" }
  | { type: "room"; room: RoomView }
  /** What goes after the `#` of the link that others open. */
  | { type: "invitation"; fragment: string }
  /** The phone that started this room lets this one in from now on; its rooms to come have this secret. */
  | ({ type: "remembered" } & RememberedBy)
  | { type: "text"; ask: number; delta: string }
  | { type: "done"; ask: number; stats: AnswerStats }
  /** `ask` is null when the room failed and not one answer. */
  | { type: "failed"; ask: number | null; error: EngineError }
  /** Something for a log; it stopped nothing. */
  | { type: "note"; message: string }
  /** Something a person should know; it stopped nothing. */
  | { type: "warning"; message: string }
  | { type: "planned"; result: PlanAnswer | PlanRefusal }
  /** The short code that this phone shows; null for none. */
  | { type: "code"; code: CodeView | null }
  | { type: "redeemed"; fragment: string }
  /** `tried`: whoever answered has seen enough to know whether it had guessed the code. */
  | { type: "redeemFailed"; why: RedeemFailure; tried: boolean }
  /** Whether the server brings others in; a room goes on without it. */
  | { type: "server"; isThere: boolean }
  | { type: "checked"; ask: number; promptTokens: number; contextTokens: number }
  | { type: "rtc"; command: RtcCommand };

/** A short code, from asking the server for a place until it is good no longer. */
export type CodeView =
  | { state: "asked" }
  /** `text` as people read it, `4821 - 317 592`. It may be typed on several phones: `redeemed` says on how many. */
  | { state: "shown"; text: string; lifeSecs: number; triesLeft: number; redeemed: number }
  | { state: "over"; why: CodeEnd };

/** Wrong codes were typed too often; five minutes are over; the server has no place; its socket was lost. */
export type CodeEnd = "guessed" | "expired" | "server_full" | "lost";

export type RedeemFailure =
  /** These are not ten digits. */
  | "bad_code"
  | "wrong_code"
  /** No phone shows a code with these first digits. */
  | "code_gone"
  /** Somebody else is typing it at this moment. */
  | "code_busy"
  /** Too many codes were tried from this network. */
  | "locked_out"
  | "no_answer"
  | "unreachable"
  /** Who answered does not know the code either. */
  | "forged";

/** An instance of the planner's file format, as `docs/planner.md` describes it. */
export interface PlanInput {
  objective: "latency" | "throughput";
  modules: { name: string; flops: number; weights_bytes: number; kv_bytes?: number }[];
  sequential_bytes: number[];
  residual?: { from: number; to: number[]; bytes: number }[];
  tied?: [number, number, number][];
  devices: { id: string; flops_per_sec: number; overhead_secs?: number; memory_bytes: number }[];
  rtt_secs: number[][];
  bytes_per_sec: number[][];
  token_bytes?: number;
  token_to?: number;
  close_ring?: boolean;
}

/** Half-open ranges of modules, in ring order. */
export interface PlanAnswer {
  objective_secs: number;
  stages: { device: string; start: number; end: number }[];
  overlap: { device: string; start: number; end: number }[];
  lower_bound_secs: number;
  solve_secs: number;
}

/** Why no assignment fits. */
export interface PlanRefusal {
  infeasible: { constraint: string; device?: string; missing_bytes?: number; help: string }[];
}

export interface StartConfig {
  /** WebSocket address of the signaling server, `wss://.../signal`. */
  signalUrl: string;
  /** What stands after the `#` of an invitation; where the room is started, its secret, base64url, or null for another. */
  secret: string | null;
  /** This phone starts the room. */
  starts: boolean;
  /** It had started it before, and starts it again. */
  reopens: boolean;
  /** Elsewhere: a person waits until the room is open, for an hour at most. */
  waits: boolean;
  name: string;
  /** A short name of the device, for the others' cards. */
  device: string;
  /**
   * Coordinator: address of the model file: `/models/x.gguf`, `https://…/x.gguf`, or `file:::x.gguf` for a picked
   * one; with `#q8_0` or `#q4_0` behind, floats are quantised so.
   */
  modelUrl: string | null;
  pledge: Pledge;
  /** Coordinator: how hidden states travel from phone to phone. */
  wire: WireType;
  /** Coordinator: whether cuts move while answers go on. */
  balances: boolean;
  /** Coordinator: whether an encoder's output goes straight to the phones that read it, or along the ring. */
  skips: boolean;
  /** Coordinator: requests that are expected at once; null plans for one. */
  requests: number | null;
  door: DoorConfig;
}

/** As the planner finds it best, or parts of equal size to compare it with. */
export type Assignment = "best" | "equal";

/** 32-bit floats, with which tokens do not depend on the phones; 16-bit floats; 8-bit integers. */
export type WireType = "f32" | "f16" | "int8";

/** Memory a phone lends: bytes, or `factor` x (bytes of all modules) / `phones`. */
export type Pledge = { bytes: number } | { share: { factor: number; phones: number } };

export interface AskOptions {
  /** 0 always takes the likeliest token. */
  temperature: number;
  /** 0 considers every token. */
  topK: number;
  topP: number;
  /** Tokens less than this times as likely as the likeliest are not considered; 0, or nothing, considers all. */
  minP?: number;
  /**
   * Logits of tokens that were there before are divided by this, or multiplied below zero; 1, or nothing, changes
   * nothing. Counts the answer so far and the prompt's last 4,096 tokens.
   */
  repetitionPenalty?: number;
  seed: number;
  maxTokens: number;
  /**
   * The answer ends before the first of these texts that it comes to; nothing of it is shown. At most 4, each of 1 to
   * 64 bytes in UTF-8.
   */
  stop?: string[];
  /** How many alternatives come with each token's log probability, at most 5; nothing for no log probabilities. */
  logprobs?: number;
}

/** At most 256 of them and 64 KiB of text make a conversation. */
export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

export type RoomPhase =
  "connecting" | "gathering" | "measuring" | "planning" | "loading" | "ready" | "failed";

/** The room as this phone sees it. Sent whole on every change. */
export interface RoomView {
  phase: RoomPhase;
  /** Our own peer id, 8 hex digits. */
  me: string;
  /** The coordinator's peer id; empty until it is known. */
  coordinator: string;
  /** Who is or was in, this phone first. */
  peers: PeerView[];
  /** Who may come in; null on phones that did not start the room. */
  door: DoorView | null;
  /** The phone that started the room, while its person is asked whether this one may come in. */
  asking: AskerView | null;
  /** Steps of the measuring under way; null outside of it. */
  measuring: { done: number; total: number } | null;
  plan: PlanView | null;
  model: ModelView | null;
  links: LinkView[];
  error: { code: ErrorCode; message: string } | null;
}

export interface PeerView {
  id: string;
  name: string;
  device: string;
  me: boolean;
  coordinator: boolean;
  /** By what it is known again; null for a phone that was never linked to another. */
  identity: Identity | null;
  link: "open" | "lost";
  /** Measured speed of the real kernels; null until measured. */
  flopsPerSec: number | null;
  /** Its standard deviation over the rounds. */
  flopsPerSecSpread: number | null;
  /** Why it runs no part, or that its figures are guessed; null where there is nothing to say. */
  remark: string | null;
  pledgeBytes: number | null;
  /** Memory of its parts and copies, caches included; 0 without a part. */
  usedBytes: number;
  /** The modules this phone runs, half-open; null when it runs none. */
  stage: { start: number; end: number; weightsBytes: number } | null;
  loadedBytes: number;
  totalBytes: number;
  ready: boolean;
  /** How many rows of all answers have to wait for its device. */
  waitingRows: number;
  counters: PeerCounters;
}

export interface PeerCounters {
  stepsRun: number;
  rowsRun: number;
  dispatches: number;
  bytesFetched: number;
  bytesSent: number;
  bytesReceived: number;
}

export interface PlanView {
  /** In ring order. */
  stages: PlanStageView[];
  /** Second copies of modules of a neighbour's part, half-open: loaded but asleep, for shifting work later. */
  overlap: { peer: string; start: number; end: number; weightsBytes: number }[];
  /** What a token's data takes from phone to phone. */
  traffic: { from: string; to: string; bytes: number; predictedSecs: number }[];
  predictedTokenSecs: number;
  /** Median of the latest tokens; null before there are enough. */
  measuredTokenSecs: number | null;
  /** No plan of these phones takes less. */
  lowerBoundSecs: number;
  /** Why the plan looks as it does, one plain sentence. */
  reason: string;
  /** Why it has replaced another in the middle of things, one plain sentence. */
  cause: string | null;
  /** The longest that an answer stood still for that; null where none was under way. */
  pauseSecs: number | null;
  /** The same phones with parts of equal size, predicted; null where that does not fit into their memory. */
  equalSplitSecs: number | null;
  /** The fastest phone that could hold the whole model alone, predicted; null if none can. */
  bestAlone: { peer: string; secs: number } | null;
  /** Why a phone got nothing, a plain sentence with names. */
  unused: { peer: string; reason: string }[];
}

export interface PlanStageView {
  peer: string;
  start: number;
  end: number;
  weightsBytes: number;
  predictedSecs: number;
  /** Median of the latest tokens; null before there are enough. */
  measuredSecs: number | null;
}

export interface ModelView {
  name: string;
  url: string;
  /** Number of modules, 2 x layers + 2. */
  modules: number;
  weightsBytes: number;
  contextTokens: number;
  /** It has a chat template, so it is asked with the whole conversation. */
  takesChats: boolean;
  /** What a classifier calls its labels, by their numbers: an answer is one of them. Else none. */
  labels: string[];
}

/** Averages over the rounds of measuring, with their standard deviations. */
export interface LinkView {
  from: string;
  to: string;
  rttSecs: number;
  rttSpreadSecs: number;
  bytesPerSec: number;
  bytesPerSecSpread: number;
  /** How many times as long a round trip, and a byte, take while answers run. */
  rttDrift: number;
  bytesDrift: number;
}

export interface AnswerStats {
  promptTokens: number;
  completionTokens: number;
  /** From the question to its first token. */
  ttftSecs: number;
  decodeTokensPerSec: number;
  dispatchesPerToken: number;
  /** The model ended it, its text came to a stop text, it was long enough, or somebody stopped it. */
  finish: "eos" | "stop" | "length" | "cancelled";
  tokens: number[];
  /** One for each of the tokens where they were asked for, else none. */
  logprobs: TokenLogprobs[];
}

/** Natural logarithms of probabilities, of the model's own distribution: before penalty, temperature and cuts. */
export interface TokenLogprobs {
  /** Of the token that was chosen. */
  chosen: number;
  /** The likeliest tokens, likeliest first; the chosen one may be among them. */
  alternatives: { token: number; logprob: number }[];
}

export type ErrorCode =
  | "no_webgpu"
  | "insecure_context"
  | "room_full"
  | "room_gone"
  | "phone_left"
  | "prompt_too_long"
  | "does_not_fit"
  | "server_unreachable"
  | "model_unavailable"
  /** No link to the phone that started the room came about. */
  | "unreachable"
  /** This phone's graphics device is gone. */
  | "device_lost"
  /** A phone could not run or load its stage. */
  | "device_failed"
  /** A phone's graphics memory did not hold its stage. */
  | "out_of_memory"
  | "too_slow"
  | "busy"
  /** The phone that started the room did not let this one in: a person said no. */
  | "turned_away"
  /** Nobody else may come in. */
  | "locked"
  /** No person said anything in time. */
  | "unanswered"
  /** Too many ask to come in. */
  | "crowded"
  /** The invitation is too old. */
  | "expired"
  /** A person took this phone out of the room. */
  | "removed"
  | "internal";

export interface EngineError {
  code: ErrorCode;
  message: string;
  promptTokens?: number;
  contextTokens?: number;
}
