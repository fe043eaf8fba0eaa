import type { WireType } from "../../web/src/engine/messages.ts";

/** What a phone's address asks for; see `web/src/query.ts`. */
export interface PhoneQuery {
  model?: string;
  name?: string;
  pledge?: string;
  requests?: number;
  temperature?: number;
  seed?: number;
  tokens?: number;
  wire?: WireType;
  balance?: "on" | "off";
  skip?: "on" | "off";
  /** For how many seconds an invitation is good at first. */
  life?: number;
  /** Whether a person is asked about phones that want to come in. */
  admit?: "all" | "ask";
}

/** The page's address on the phone, with its wishes. */
export function address(origin: string, query: PhoneQuery): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(key, String(value));
  }
  const search = parameters.toString();
  return `${origin.replace(/\/$/, "")}/${search && `?${search}`}`;
}
