/** Another version of the built page, for a server that was updated. */

import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a version's page loads. */
export function mainScript(app: string): string {
  const path = /src="\/assets\/(index-[^"]+\.js)"/.exec(readFileSync(join(app, "index.html"), "utf8"))?.[1];
  if (path === undefined) throw new Error(`${app}: the page loads no script`);
  return path;
}

/** Copies the page into `folder` as a version of its own, whose script is called `name`. */
export function anotherVersion(app: string, folder: string, name: string): void {
  cpSync(app, folder, { recursive: true });
  const before = mainScript(app);
  const texts = ["index.html", ...readdirSync(join(app, "assets")).map((file) => join("assets", file))];
  for (const file of texts.filter((one) => /\.(html|js)$/.test(one))) {
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    if (text.includes(before)) rewrite(path, text.replaceAll(before, name));
  }
  for (const end of ["", ".br", ".gz"]) rename(join(folder, "assets"), before + end, name + end);
  list(folder, before, name);
}

/** As the build does it (`web/vite/list-files.ts`). */
function list(folder: string, before: string, name: string): void {
  const path = join(folder, "sw.js");
  const text = readFileSync(path, "utf8");
  const [, literal] = /JSON\.parse\(("(?:[^"\\]|\\.)*")\)/.exec(text) ?? [];
  if (literal === undefined) throw new Error("the service worker has no list of files");
  const files = JSON.parse(JSON.parse(literal) as string) as [string, string][];
  const listed = files.map(([file]) => {
    const now = file.replace(before, name);
    const hash = createHash("sha256")
      .update(readFileSync(join(folder, now)))
      .digest("base64");
    return [now, `sha256-${hash}`];
  });
  const other = text.replace(literal, () => JSON.stringify(JSON.stringify(listed)));
  rewrite(path, other.replace(versionOf(files), versionOf(listed)));
}

function versionOf(files: string[][]): string {
  return createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 16);
}

/** What was compressed is of the version before. */
function rewrite(path: string, text: string): void {
  writeFileSync(path, text);
  for (const end of [".br", ".gz"]) rmSync(path + end, { force: true });
}

function rename(folder: string, before: string, after: string): void {
  if (readdirSync(folder).includes(before)) renameSync(join(folder, before), join(folder, after));
}
