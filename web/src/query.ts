import type { Assignment, Pledge, WireType } from "./engine/messages.ts";

/** What the address asks for. Everything is optional; what cannot be read is ignored. */
export interface Query {
  /** `?model=/models/x.gguf` */
  modelUrl: string | null;
  /** `?name=Ada` */
  name: string | null;
  /** `?pledge=BYTES` or `?pledge=share:FACTOR:PHONES` */
  pledge: Pledge | null;
  /** `?assignment=equal`: parts of equal size, for those who compare. */
  assignment: Assignment;
  /** `?wire=f32`, `f16` or `int8`: how hidden states travel, for those who compare. */
  wire: WireType;
  /** `?balance=off`: cuts stay where they are, for those who compare. */
  balances: boolean;
  /** `?skip=off`: an encoder's output goes along the ring and not straight to who reads it, for those who compare. */
  skips: boolean;
  /** `?requests=4`: so many are expected at once; the plan is then for tokens a second and not for one fast token. */
  requests: number | null;
  /** `?admit=all`: whoever has the invitation comes in without asking, as in a shop window or a test. */
  admitsAll: boolean;
  /** `?life=60`: for how many seconds an invitation is good at first, in place of ten minutes. */
  lifeSecs: number | null;
  /** `?temperature=0`, `?seed=1`, `?tokens=64`: how answers are sampled. */
  temperature: number | null;
  seed: number | null;
  maxTokens: number | null;
  invitation: Invitation;
}

/** What stands after the `#`: the secret, and behind it whose room it is and how long it is good. The browser never sends that to the server. */
export type Invitation = { kind: "none" } | { kind: "secret"; secret: string } | { kind: "damaged" };

/** As many as a room takes at once. */
const MOST_REQUESTS = 8;
/** 32 bytes in base64url without padding. */
export const SECRET = /^[A-Za-z0-9_-]{43}$/;
/** The same, and 16 bytes more where there is a ticket, with 16 before them where the host is named. */
const FRAGMENT = /^[A-Za-z0-9_-]{43}([A-Za-z0-9_-]{22}){0,2}$/;

export function parseQuery(search: string, hash: string): Query {
  const parameters = new URLSearchParams(search);
  const text = (key: string): string | null => parameters.get(key)?.trim() || null;
  const number = (key: string): number | null => parseNumber(text(key));
  return {
    modelUrl: sameOriginPath(text("model")),
    name: text("name"),
    pledge: parsePledge(text("pledge")),
    assignment: text("assignment") === "equal" ? "equal" : "best",
    wire: WIRE_TYPES.find((wire) => wire === text("wire")) ?? "f16",
    balances: text("balance") !== "off",
    skips: text("skip") !== "off",
    requests: parseCount(text("requests")),
    admitsAll: text("admit") === "all",
    lifeSecs: number("life"),
    temperature: number("temperature"),
    seed: number("seed"),
    maxTokens: number("tokens"),
    invitation: parseInvitation(hash),
  };
}

const WIRE_TYPES: WireType[] = ["f32", "f16", "int8"];

export function parseInvitation(hash: string): Invitation {
  const secret = hash.replace(/^#/, "");
  if (secret === "") return { kind: "none" };
  return FRAGMENT.test(secret) ? { kind: "secret", secret } : { kind: "damaged" };
}

/** The secret of an invitation, without whose room it is and how long it is good. */
export function secretOf(fragment: string): string {
  return fragment.slice(0, 43);
}

/** The link to a room in what a code says. It may be of another address than this page's, by which a server is reached. */
export function invitationIn(text: string): URL | null {
  const link = URL.canParse(text) ? new URL(text) : null;
  const isWeb =
    link !== null && /^https?:$/.test(link.protocol) && link.username === "" && link.password === "";
  return isWeb && parseInvitation(link.hash).kind === "secret" ? link : null;
}

export function parsePledge(text: string | null): Pledge | null {
  if (text === null) return null;
  const share = /^share:([^:]+):([^:]+)$/.exec(text);
  if (!share) {
    const bytes = parseNumber(text);
    return bytes !== null && bytes > 0 ? { bytes: Math.round(bytes) } : null;
  }
  const factor = parseNumber(share[1] ?? null);
  const phones = parseNumber(share[2] ?? null);
  if (factor === null || phones === null || factor <= 0 || phones < 1) return null;
  return { share: { factor, phones: Math.round(phones) } };
}

/** The link that others open. The query stays behind: it is this phone's own. */
export function invitationLink(location: { origin: string; pathname: string }, fragment: string): string {
  return `${location.origin}${location.pathname}#${fragment}`;
}

/** Where the signaling server listens, on the page's own origin. */
export function signalUrl(location: { origin: string }): string {
  return `${location.origin.replace(/^http/, "ws")}/signal`;
}

/** Whether other phones can open an address on this host. */
export function isOnlyHere(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || /^(127\.|\[::1\])/.test(hostname);
}

function sameOriginPath(path: string | null): string | null {
  return path?.startsWith("/") && !path.startsWith("//") ? path : null;
}

function parseCount(text: string | null): number | null {
  const value = Math.round(parseNumber(text) ?? 0);
  return value >= 1 ? Math.min(value, MOST_REQUESTS) : null;
}

function parseNumber(text: string | null): number | null {
  if (text === null || text === "") return null;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : null;
}
