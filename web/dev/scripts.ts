import type {
  AnswerStats,
  ErrorCode,
  FromWorker,
  PeerView,
  RoomPhase,
  RoomView,
} from "../src/engine/messages.ts";

const stages = [
  { peer: "a1b2c3d4", start: 0, end: 5, weightsBytes: 2_310_000 },
  { peer: "0badcafe", start: 5, end: 9, weightsBytes: 1_780_000 },
  { peer: "5eed5eed", start: 9, end: 14, weightsBytes: 2_490_000 },
];

const people = [
  { id: "a1b2c3d4", name: "Ada", device: "Pixel 8a", flopsPerSec: 61.4e9, pledgeBytes: 1e9 },
  { id: "0badcafe", name: "Ben", device: "Galaxy A54", flopsPerSec: 17.9e9, pledgeBytes: 500e6 },
  { id: "5eed5eed", name: "Grandma Clara", device: "Android phone", flopsPerSec: 1.2e9, pledgeBytes: 250e6 },
];

const turns = [
  " there was a little boat who lived at the edge of a quiet lake. Every morning the boat watched the geese fly over the hill, and every evening it asked the moon where they had gone.",
  " behind the old mill. It was small and blue, and somebody had left the key in it. “Shall we look inside?” asked the",
];

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

/** What a worker would say on its way to the named screen. */
export async function* script(screen: string): AsyncGenerator<FromWorker> {
  if (screen === "waiting") return;
  yield { type: "loaded" };
  yield { type: "invitation", fragment: "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA" };
  const [kind = "", detail = ""] = screen.split(":");
  if (kind === "setback") {
    const error = {
      code: "phone_left",
      message: "Ben left the room. Let it join again, or go on without it.",
    } as const;
    yield { type: "room", room: { ...room("gathering", 2), error } };
  } else if (kind === "error") {
    yield { type: "room", room: room("failed", 3) };
    yield {
      type: "failed",
      ask: null,
      error: { code: detail as ErrorCode, message: "The engine's own words." },
    };
  } else if (kind.startsWith("chat")) {
    yield* chat(kind);
  } else if (kind === "guest-file") {
    yield { type: "room", room: withoutFile(seenBy("0badcafe", room("gathering", 3))) };
  } else {
    const phones = screen === "gathering-alone" ? 1 : 3;
    const phase = (screen === "guest" ? "gathering" : screen.replace("-alone", "")) as RoomPhase;
    const view = room(phase, phones);
    yield { type: "room", room: screen === "guest" ? seenBy("0badcafe", view) : view };
  }
}

async function* chat(kind: string): AsyncGenerator<FromWorker> {
  yield { type: "room", room: room("ready", 3) };
  if (kind === "chat-empty") return;
  yield { type: "text", ask: 1, delta: turns[0] ?? "" };
  yield { type: "done", ask: 1, stats };
  if (kind === "chat-failed") {
    const error = { code: "prompt_too_long", message: "", promptTokens: 611, contextTokens: 512 } as const;
    yield { type: "failed", ask: 2, error };
    return;
  }
  for (const [index, word] of (turns[1] ?? "").split(/(?= )/).entries()) {
    yield { type: "text", ask: 2, delta: word };
    yield { type: "room", room: room("ready", 3, index + 1) };
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

function seenBy(me: string, view: RoomView): RoomView {
  return { ...view, me, peers: view.peers.map((peer) => ({ ...peer, me: peer.id === me })) };
}

/** On a phone where the file that the room runs has still to be picked. */
function withoutFile(view: RoomView): RoomView {
  const url = `file:6580000:${"0".repeat(64)}:stories-f16.gguf`;
  const remark =
    "It runs no part of the model: The file `stories-f16.gguf` has to be picked on this phone too.";
  const peers = view.peers.map((peer) => (peer.me ? { ...peer, remark } : peer));
  return { ...view, peers, model: view.model && { ...view.model, url } };
}

function room(phase: RoomPhase, phones: number, steps = 0): RoomView {
  const isPlanned = ["loading", "ready", "failed"].includes(phase);
  const predicted = stages.map((stage) => ({ ...stage, predictedSecs: 0.011 }));
  const reason = "No phone lends enough memory for the whole model, so it is shared out by speed.";
  return {
    phase,
    me: "a1b2c3d4",
    coordinator: "a1b2c3d4",
    peers: people.slice(0, phones).map((_, index) => peer(phase, index, steps)),
    plan: isPlanned ? { stages: predicted, predictedTokenSecs: 0.041, lowerBoundSecs: 0.041, reason } : null,
    model: {
      name: "stories-q8_0.gguf",
      url: "/models/stories.gguf",
      modules: 14,
      weightsBytes: 6.58e6,
      contextTokens: 512,
      takesChats: false,
    },
    links: [],
    error: null,
  };
}

function peer(phase: RoomPhase, index: number, steps: number): PeerView {
  const person = people[index];
  const stage = stages[index];
  if (!person || !stage) throw new Error("no such person");
  const isPlanned = ["loading", "ready", "failed"].includes(phase);
  const totalBytes = isPlanned ? stage.weightsBytes : 0;
  const part = phase === "loading" ? ([1, 0.64, 0.21][index] ?? 0) : 1;
  return {
    ...person,
    me: index === 0,
    coordinator: index === 0,
    link:
      phase === "gathering" && index === 2
        ? "connecting"
        : phase === "failed" && index === 1
          ? "lost"
          : "open",
    remark: null,
    flopsPerSec: phase === "gathering" || (phase === "measuring" && index === 2) ? null : person.flopsPerSec,
    stage: isPlanned ? { start: stage.start, end: stage.end, weightsBytes: stage.weightsBytes } : null,
    loadedBytes: totalBytes * part,
    totalBytes,
    ready: part === 1 && isPlanned,
    counters: {
      stepsRun: steps,
      rowsRun: steps,
      dispatches: steps * 12,
      bytesFetched: totalBytes * part,
      bytesSent: steps * 1200,
      bytesReceived: steps * 1200,
    },
  };
}
