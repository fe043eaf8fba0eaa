import type {
  AnswerStats,
  CodeView,
  ErrorCode,
  FromWorker,
  RoomPhase,
  RoomView,
} from "../src/engine/messages.ts";
import { makeAsker, makeRoom, type Setting } from "./rooms.ts";

const turns = [
  " there was a little boat who lived at the edge of a quiet lake. Every morning the boat watched the geese fly over the hill, and every evening it asked the moon where they had gone.",
  " behind the old mill. It was small and blue, and somebody had left the key in it. “Shall we look inside?” asked the",
];

const doesNotFit =
  "The model needs 339000000 bytes and the phones lend 122500000 bytes. One more phone that lends 216500000 bytes, a smaller quantisation or a shorter context would help.";

const stats: AnswerStats = {
  promptTokens: 5,
  completionTokens: 64,
  ttftSecs: 0.342,
  decodeTokensPerSec: 23.7,
  dispatchesPerToken: 32,
  finish: "length",
  tokens: [],
  logprobs: [],
};

/** `?screen=code:shown`, and what else becomes of a short code. */
const codes: Record<string, CodeView> = {
  asked: { state: "asked" },
  shown: { state: "shown", text: "4821 - 317 592", lifeSecs: 300, triesLeft: 3, redeemed: 0 },
  tried: { state: "shown", text: "4821 - 317 592", lifeSecs: 300, triesLeft: 1, redeemed: 2 },
  guessed: { state: "over", why: "guessed" },
  expired: { state: "over", why: "expired" },
  full: { state: "over", why: "server_full" },
  lost: { state: "over", why: "lost" },
};

/** What a worker would say on its way to the named screen. */
export async function* script(screen: string, setting: Setting): AsyncGenerator<FromWorker> {
  if (screen === "waiting") return;
  yield { type: "loaded" };
  if (screen === "no-room") {
    const error = { code: "room_gone", message: "nobody is in this room any more" } as const;
    yield { type: "failed", ask: null, error };
    return;
  }
  yield { type: "invitation", fragment: "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA" };
  const [kind = "", detail = ""] = screen.split(":");
  const room = (phase: RoomPhase): RoomView => makeRoom(phase, setting);
  if (kind === "setback") {
    const error = {
      code: "phone_left",
      message: "Ben left the room. Let it join again, or go on without it.",
    } as const;
    yield { type: "room", room: { ...makeRoom("gathering", { ...setting, phones: 2 }), error } };
  } else if (kind === "does-not-fit") {
    const error = { code: "does_not_fit", message: doesNotFit } as const;
    const { peers, ...rest } = makeRoom("planning", setting);
    yield { type: "room", room: { ...rest, phase: "failed", peers, error } };
  } else if (kind === "error") {
    yield { type: "room", room: room("failed") };
    yield {
      type: "failed",
      ask: null,
      error: { code: detail as ErrorCode, message: "The engine's own words." },
    };
  } else if (kind === "asked") {
    yield { type: "room", room: withAskers(makeRoom("gathering", { ...setting, phones: 2 }), setting) };
  } else if (kind === "locked" || kind === "admits-all") {
    const door = { locked: kind === "locked", admitsAll: kind !== "locked", askers: [], admitted: [] };
    yield { type: "room", room: { ...room("gathering"), door } };
  } else if (kind === "asking") {
    const [me] = seenBy("0badcafe", room("gathering")).peers;
    const peers = me ? [me] : [];
    yield {
      type: "room",
      room: { ...room("connecting"), peers, door: null, asking: makeAsker(setting, 0), coordinator: "" },
    };
  } else if (kind.startsWith("chat")) {
    yield* chat(kind, setting);
  } else if (kind === "code") {
    yield { type: "room", room: room("gathering") };
    yield { type: "code", code: codes[detail] ?? null };
  } else if (kind === "guest-file") {
    yield { type: "room", room: withoutFile(seenBy("1badcafe", room("gathering"))) };
  } else {
    const view = room((screen === "guest" ? "gathering" : screen) as RoomPhase);
    yield { type: "room", room: screen === "guest" ? seenBy("1badcafe", view) : view };
  }
}

async function* chat(kind: string, setting: Setting): AsyncGenerator<FromWorker> {
  const room = (steps: number): RoomView => {
    const view = makeRoom("ready", setting, steps);
    if (kind === "chat-asked") return withAskers(view, setting);
    if (kind === "chat-newcomer") return withNewcomer(view, setting);
    if (kind === "chat-newcomer-guest") return seenBy("1badcafe", withNewcomer(view, setting));
    return kind === "chat-unused" ? withUnused(withNewcomer(view, setting)) : view;
  };
  yield { type: "room", room: room(0) };
  if (kind === "chat-empty") return;
  if (setting.tellsApart) {
    yield* labels();
    return;
  }
  yield { type: "text", ask: 1, delta: turns[0] ?? "" };
  yield { type: "done", ask: 1, stats };
  if (kind === "chat-failed") {
    const error = { code: "prompt_too_long", message: "", promptTokens: 611, contextTokens: 512 } as const;
    yield { type: "failed", ask: 2, error };
    return;
  }
  for (const [index, word] of (turns[1] ?? "").split(/(?= )/).entries()) {
    yield { type: "text", ask: 2, delta: word };
    yield { type: "room", room: room(index + 1) };
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  if (kind.startsWith("chat-newcomer")) yield { type: "done", ask: 2, stats };
}

function* labels(): Generator<FromWorker> {
  for (const ask of [1, 2]) {
    const alternatives = [0.913, 0.0846, 0.0024].map((share, token) => ({ token, logprob: Math.log(share) }));
    const logprobs = [{ chosen: Math.log(0.913), alternatives }];
    yield { type: "text", ask, delta: "glad" };
    yield {
      type: "done",
      ask,
      stats: { ...stats, completionTokens: 1, finish: "eos", tokens: [0], logprobs },
    };
  }
}

/** The last phone came when the others had shared the model out. */
function withNewcomer(view: RoomView, setting: Setting): RoomView {
  const { plan } = makeRoom("ready", { ...setting, phones: setting.phones - 1 });
  const last = view.peers.length - 1;
  const peers = view.peers.map((peer, index) =>
    index < last ? peer : { ...peer, stage: null, usedBytes: 0 },
  );
  return { ...view, peers, plan };
}

/** Two phones ask to come in. */
function withAskers(view: RoomView, setting: Setting): RoomView {
  const askers = [makeAsker(setting, 3), makeAsker(setting, 4)];
  return { ...view, door: { locked: false, admitsAll: false, askers, admitted: [] } };
}

/** The last phone got nothing. */
function withUnused(view: RoomView): RoomView {
  const last = view.peers.at(-1);
  if (!last || view.plan === null) return view;
  const reason = `${last.name} got no part: the way there and back takes longer than its help saves.`;
  return { ...view, plan: { ...view.plan, unused: [{ peer: last.id, reason }] } };
}

function seenBy(me: string, view: RoomView): RoomView {
  const door = me === view.coordinator ? view.door : null;
  return { ...view, me, door, peers: view.peers.map((peer) => ({ ...peer, me: peer.id === me })) };
}

/** On a phone where the file that the room runs has still to be picked. */
function withoutFile(view: RoomView): RoomView {
  const url = `file:6580000:${"0".repeat(64)}:stories-f16.gguf`;
  const remark =
    "It runs no part of the model: The file `stories-f16.gguf` has to be picked on this phone too.";
  const peers = view.peers.map((peer) => (peer.me ? { ...peer, remark } : peer));
  return { ...view, peers, model: view.model && { ...view.model, url } };
}
