/** What this folder is told by its environment. The names are those that `cargo xtask` sets. */

import { existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder `e2e/`; relative paths of the environment start here. */
export const HERE = fileURLToPath(new URL("..", import.meta.url));

export interface Settings {
  /** The `signaling-server` program. */
  server: string;
  /** The `lingualinked` program. */
  program: string;
  /** The built page. */
  app: string;
  /** Folders with model files; the first has the bundled model and its golden answers. */
  models: string[];
  /** The kernels' checks, built for a browser. */
  kernelChecks: string;
  /** A Chromium or Chrome. */
  chromium: string;
  /** Where screenshots go. */
  output: string;
}

type Environment = Record<string, string | undefined>;

/** Each is looked up when it is asked for, so that a test that needs no browser runs without one. */
export function settings(from: Environment = process.env): Settings {
  return {
    get server() {
      return mustExist(
        from,
        "LINGUALINKED_SERVER_BIN",
        "../target/xtask/programs/signaling-server",
        "run `cargo xtask build`",
      );
    },
    get program() {
      return mustExist(
        from,
        "LINGUALINKED_PROGRAM_BIN",
        "../target/debug/lingualinked",
        "run `cargo build --workspace --bin lingualinked`",
      );
    },
    get app() {
      const folder = mustExist(from, "LINGUALINKED_APP", "../web/dist", "run `cargo xtask build`");
      if (!existsSync(join(folder, "index.html")))
        throw new Error(`${folder} has no index.html; build the page`);
      return folder;
    },
    get models() {
      const folders = (from["LINGUALINKED_MODELS"] || "../models/stories").split(delimiter).filter(Boolean);
      return folders.map((folder) => found(folder, "LINGUALINKED_MODELS", "restore it from the repository"));
    },
    get kernelChecks() {
      const usual = "../target/xtask/kernel-checks";
      return mustExist(from, "LINGUALINKED_KERNEL_CHECKS", usual, "run `cargo xtask e2e`");
    },
    get chromium() {
      const usual = onPath(CHROMIUM_NAMES, from["PATH"]);
      return mustExist(
        from,
        "LINGUALINKED_CHROMIUM",
        usual,
        "install Chromium or Chrome, or run `cargo xtask setup`",
      );
    },
    output: resolve(HERE, "output"),
  };
}

/** The bundled model: the first `.gguf` file, by name, of the first folder that has one. */
export function bundledModel(folders: string[]): string {
  const ofFolder = (folder: string): string[] =>
    readdirSync(folder)
      .filter((file) => file.endsWith(".gguf"))
      .sort()
      .map((file) => join(folder, file));
  const first = folders.flatMap(ofFolder)[0];
  if (first === undefined)
    throw new Error(`${folders.join(", ")}: no .gguf file; restore it from the repository`);
  return first;
}

/** The first of these programs on the search path. */
export function onPath(names: string[], path = ""): string | undefined {
  const folders = path.split(delimiter).filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => isFile(file));
}

function mustExist(from: Environment, variable: string, usual: string | undefined, wayOut: string): string {
  const named = from[variable] || usual;
  if (named === undefined)
    throw new Error(`${variable} is not set and nothing was found in its place; ${wayOut}`);
  return found(named, variable, wayOut);
}

function found(relative: string, variable: string, wayOut: string): string {
  const path = resolve(HERE, relative);
  if (!existsSync(path)) throw new Error(`${variable}: there is no ${path}; ${wayOut}`);
  return path;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

const CHROMIUM_NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];
