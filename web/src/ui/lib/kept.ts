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

async function bytesIn(folder: FileSystemDirectoryHandle): Promise<number> {
  let sum = 0;
  for await (const entry of folder.values()) {
    if (entry.kind === "directory") sum += await bytesIn(entry as FileSystemDirectoryHandle);
    else sum += (await (entry as FileSystemFileHandle).getFile()).size;
  }
  return sum;
}
