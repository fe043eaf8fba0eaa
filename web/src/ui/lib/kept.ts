/** What the engine keeps of model files in the browser's private file system (`crates/web/src/kept.rs`). */

const FOLDER = "models";

/** The part of the browser's storage that is used here; a scripted one in tests. */
export type Storage = Pick<StorageManager, "getDirectory">;

/** Bytes of all that is kept; 0 where the browser keeps nothing. */
export async function keptBytes(storage: Storage = navigator.storage): Promise<number> {
  try {
    const root = await storage.getDirectory();
    return await bytesIn(await root.getDirectoryHandle(FOLDER));
  } catch {
    // There is no such folder yet, or the browser has no such storage, as in a private window.
    return 0;
  }
}

/** Removes all that is kept. Rejects when the browser refuses, for example while a room is using it. */
export async function removeKept(storage: Storage = navigator.storage): Promise<void> {
  const root = await storage.getDirectory();
  await root.removeEntry(FOLDER, { recursive: true });
}

/** How much of the file at `url` is kept, from 0 to 1. */
export async function keptShare(
  url: string,
  bytes: number,
  storage: Storage = navigator.storage,
): Promise<number> {
  try {
    const models = await (await storage.getDirectory()).getDirectoryHandle(FOLDER);
    const folder = await models.getDirectoryHandle(await folderName(url));
    const pieces: [number, number][] = [];
    for await (const { name } of folder.values()) {
      const [, start, end] = /^(\d+)-(\d+)$/.exec(name) ?? [];
      if (end !== undefined) pieces.push([Number(start), Number(end)]);
    }
    return covered(pieces) / bytes;
  } catch {
    return 0;
  }
}

async function folderName(url: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(url)));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Pieces may overlap. */
function covered(pieces: [number, number][]): number {
  let [sum, reached] = [0, 0];
  for (const [start, end] of pieces.sort(([a], [b]) => a - b)) {
    sum += Math.max(0, end - Math.max(start, reached));
    reached = Math.max(reached, end);
  }
  return sum;
}

async function bytesIn(folder: FileSystemDirectoryHandle): Promise<number> {
  let sum = 0;
  for await (const entry of folder.values()) {
    if (entry.kind === "directory") sum += await bytesIn(entry as FileSystemDirectoryHandle);
    else sum += (await (entry as FileSystemFileHandle).getFile()).size;
  }
  return sum;
}
