/** Models for who is without the server: those that it offered last and that are kept on this phone. */

import { privateKeeper, type Keeper } from "./keeping.ts";
import { keptShare, type Storage as FileStorage } from "./kept.ts";
import { readModels, type ModelFile } from "./models.ts";

const KEY = "lingualinked.models";
/** Not every byte of a file is read: there are gaps between tensors. */
const ENOUGH = 0.95;

export function rememberModels(models: ModelFile[], store: Keeper | null = privateKeeper()): void {
  try {
    store?.setItem(KEY, JSON.stringify(models));
  } catch {
    // A private window may keep nothing.
  }
}

/** Those that this phone can run alone without fetching anything. */
export async function modelsHere(
  store: Keeper | null = privateKeeper(),
  files?: FileStorage,
): Promise<ModelFile[]> {
  const remembered = recall(store);
  const shares = await Promise.all(remembered.map(({ url, bytes }) => keptShare(url, bytes, files)));
  return remembered.filter((_, at) => (shares[at] ?? 0) >= ENOUGH);
}

function recall(store: Keeper | null): ModelFile[] {
  try {
    return readModels(JSON.parse(store?.getItem(KEY) ?? "[]"));
  } catch {
    return [];
  }
}
