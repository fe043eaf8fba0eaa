import type { RoomView } from "../../engine/messages.ts";

/** Weights that are stored as floats, so that they can be quantised while they load. */
const FLOATS = /\.safetensors(\.index\.json)?$|[-_.](b?f16|f32)(-\d{5}-of-\d{5})?\.gguf$/i;
const INDEX = /\.safetensors\.index\.json$/i;
const WEIGHTS = /\.(gguf|safetensors)$/i;

/** What a file input offers to pick: the weights, and what Hugging Face keeps beside them. */
export const PICKED_TYPES = ".gguf,.safetensors,.json";

/** The name under which the engine opens a model of these files: the index, or else the first with weights. */
export function mainFile(names: string[]): string | null {
  const sorted = names.toSorted();
  return sorted.find((name) => INDEX.test(name)) ?? sorted.find((name) => WEIGHTS.test(name)) ?? null;
}

/** The engine's address of a file that is picked on this phone. */
export function pickedAddress(name: string): string {
  return `file:::${name}`;
}

/** What a person typed, if it is the address of a model file that the engine can open. */
export function webAddress(text: string): string | null {
  if (!URL.canParse(text.trim())) return null;
  const url = new URL(text.trim());
  if (url.protocol !== "https:") return null;
  url.hash = "";
  const name = url.pathname.split("/").at(-1) ?? "";
  return WEIGHTS.test(name) || INDEX.test(name) ? url.href : null;
}

/** How a model is kept; the engine's address has it behind the file's. */
export interface Keeping {
  /** Weights that are floats are quantised to these while they load; empty to keep them. */
  precision: string;
  /** Whether keys and values are kept in 16 bits instead of 32. */
  halvesCache: boolean;
  /** The longest request, prompt and answer together; null for the engine's own choice. */
  contextTokens: number | null;
}

/** The engine's address of a file, kept so. */
export function keptSo(url: string, { precision, halvesCache, contextTokens }: Keeping): string {
  const context = contextTokens === null ? "" : `ctx${contextTokens}`;
  const wishes = [precision, halvesCache ? "kv16" : "", context].filter(Boolean);
  return wishes.length === 0 ? url : `${url}#${wishes.join(",")}`;
}

/** An engine's address, taken apart. */
export function readAddress(address: string): { url: string } & Keeping {
  const [, url = address, words = ""] = /^(.*)#([a-z0-9_,]+)$/s.exec(address) ?? [];
  const wishes = words.split(",").filter(Boolean);
  const precision = wishes.find((wish) => /^q\d/.test(wish)) ?? "";
  const context = wishes.find((wish) => wish.startsWith("ctx"));
  const contextTokens = context === undefined ? null : Number(context.slice("ctx".length));
  return { url, precision, halvesCache: wishes.includes("kv16"), contextTokens };
}

/** Whether the file's weights are floats, as far as its name tells. */
export function hasFloats(address: string): boolean {
  return FLOATS.test(address.replace(/[?#].*$/, ""));
}

/** A file that every phone of the room has to pick. */
export interface WantedFile {
  name: string;
  bytes: number;
}

/** The file that this phone has still to pick before it can run a part. */
export function missingFile(room: RoomView): WantedFile | null {
  const [, size, name] = /^file:(\d+):[^:]*:(.+)$/.exec(readAddress(room.model?.url ?? "").url) ?? [];
  if (size === undefined || name === undefined || room.me === room.coordinator) return null;
  const isMissing = room.peers.some((peer) => peer.me && peer.remark !== null);
  return isMissing ? { name, bytes: Number(size) } : null;
}
