import type { StartConfig } from "../../engine/messages.ts";
import { signalUrl, type Query } from "../../query.ts";

/** What the person chose on the start screen, and what this device is called. */
export interface Choice {
  name: string;
  device: string;
  modelUrl: string | null;
  lendingBytes: number;
}

/** What the address asks for goes before what was chosen. */
export function startConfig(query: Query, choice: Choice, location: { origin: string }): StartConfig {
  const secret = query.invitation.kind === "secret" ? query.invitation.secret : null;
  return {
    signalUrl: signalUrl(location),
    secret,
    reopens: false,
    name: choice.name.trim() || choice.device,
    device: choice.device,
    modelUrl: secret === null ? choice.modelUrl : null,
    pledge: query.pledge ?? { bytes: choice.lendingBytes },
    wire: query.wire,
    balances: query.balances,
    skips: query.skips,
    requests: secret === null ? query.requests : null,
  };
}
