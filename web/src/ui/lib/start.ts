import type { StartConfig } from "../../engine/messages.ts";
import { signalUrl, type Query } from "../../query.ts";
import { randomSecret, type Home } from "./home.ts";
import type { Host } from "./hosts.ts";
import { USUAL_LIFE } from "./life.ts";

/** What the person chose on the start screen, and what this device is called. */
export interface Choice {
  name: string;
  device: string;
  modelUrl: string | null;
  lendingBytes: number;
}

/** What the address asks for goes before what was chosen. `host`: the phone one comes back to, whose room it has to be. */
export function startConfig(
  query: Query,
  choice: Choice,
  location: { origin: string },
  host: Host | null = null,
): StartConfig {
  const invited = query.invitation.kind === "secret" ? query.invitation.secret : null;
  const secret = invited ?? host?.secret ?? null;
  const starts = secret === null;
  return {
    signalUrl: signalUrl(location),
    secret,
    starts,
    reopens: false,
    waits: false,
    name: choice.name.trim() || choice.device,
    device: choice.device,
    modelUrl: starts ? choice.modelUrl : null,
    pledge: query.pledge ?? { bytes: choice.lendingBytes },
    wire: query.wire,
    balances: query.balances,
    skips: query.skips,
    requests: starts ? query.requests : null,
    door: {
      admitsAll: starts && query.admitsAll,
      locked: false,
      trusted: [],
      admitted: [],
      coordinator: host?.identity ?? null,
      ticketKey: null,
      opening: null,
      nextSecret: null,
      // One that is over before it is shown is good for nobody.
      lifeSecs: query.lifeSecs === null ? USUAL_LIFE : Math.max(1, query.lifeSecs),
    },
  };
}

/**
 * A room at this phone's home, with the phones that come in there without asking; one that is started again stays where it
 * is, with its invitations, and without those that were taken off the list meanwhile.
 */
export function atHome(config: StartConfig, home: Home, trusted: string[]): StartConfig {
  const { ticketKey, opening, trusted: before, admitted } = config.door;
  const door = {
    ...config.door,
    trusted,
    admitted: admitted.filter((identity) => !before.includes(identity) || trusted.includes(identity)),
    ticketKey: ticketKey ?? home.ticketKey,
    opening: opening ?? randomSecret(),
    nextSecret: home.isKept ? home.secret : null,
  };
  return { ...config, secret: config.secret ?? home.secret, door };
}

/** The same room, and in it whichever phone says that it started it: a person lets this one in there. */
export function following(config: StartConfig): StartConfig {
  return { ...config, waits: false, door: { ...config.door, coordinator: null } };
}
