import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";

export const SERVICE_WORKER = "sw.js";

/**
 * Tells the service worker which files the page has, and their hashes: so it keeps exactly these, and any change of any
 * file is a new version of it.
 */
export async function listFiles(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
    .filter((path) => path !== SERVICE_WORKER)
    .sort();
  const list = await Promise.all(
    paths.map(async (path) => [`/${path}`, `sha256-${await hash(join(folder, path))}`] as const),
  );
  const version = createHash("sha256").update(JSON.stringify(list)).digest("hex").slice(0, 16);
  const file = join(folder, SERVICE_WORKER);
  const script = (await readFile(file, "utf8"))
    .replace(/(["'`])__FILES__\1/, () => JSON.stringify(JSON.stringify(list)))
    .replace("__VERSION__", version);
  if (!script.includes("/index.html\\") || script.includes("__VERSION__"))
    throw new Error("the service worker has no place for the list of files");
  await writeFile(file, script);
}

async function hash(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("base64");
}
