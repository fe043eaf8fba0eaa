import type { RoomView } from "../../web/src/engine/messages.ts";
import type { AnsweredTurn } from "./phone.ts";
import type { ServerStats } from "./server.ts";

/** The last line of the demo's output. */
export interface DemoResult {
  phones: number;
  plan: { peer: string; start: number; end: number; weights_bytes: number }[];
  prompt_tokens: number;
  completion_tokens: number;
  text: string;
  ttft_secs: number;
  decode_tokens_per_sec: number;
  dispatches_per_token: number;
  activation_bytes_through_server: number;
  matches_single_device: boolean;
}

/** What a room answered, and the room when it had. */
export interface Answered {
  turn: AnsweredTurn;
  room: RoomView;
}

export function demoResult(together: Answered, alone: Answered, server: ServerStats): DemoResult {
  const { stats } = together.turn;
  return {
    phones: together.room.peers.length,
    plan: planOf(together.room),
    prompt_tokens: stats.promptTokens,
    completion_tokens: stats.completionTokens,
    text: together.turn.text,
    ttft_secs: stats.ttftSecs,
    decode_tokens_per_sec: stats.decodeTokensPerSec,
    dispatches_per_token: stats.dispatchesPerToken,
    activation_bytes_through_server: server.relayed_bytes + server.turn_bytes,
    matches_single_device: isSame(stats.tokens, alone.turn.stats.tokens),
  };
}

function planOf(room: RoomView): DemoResult["plan"] {
  if (!room.plan) throw new Error("the room answered without a plan");
  return room.plan.stages.map(({ peer, start, end, weightsBytes }) => ({
    peer,
    start,
    end,
    weights_bytes: weightsBytes,
  }));
}

export function stageLine(room: RoomView, stage: { peer: string; start: number; end: number }): string {
  const name = room.peers.find((peer) => peer.id === stage.peer)?.name ?? stage.peer;
  return `${name} runs the modules ${stage.start}..${stage.end} of ${room.model?.modules ?? "?"}`;
}

function isSame(one: number[], other: number[]): boolean {
  return one.length === other.length && one.every((token, at) => token === other[at]);
}
