import type { Plugin } from "vite";

import { listFiles } from "./list-files.ts";
import { precompress } from "./precompress.ts";

/** What is done with the built page, one after the other, once all its files are there. */
export function finish(): Plugin {
  let folder = "dist";
  return {
    name: "finish",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    // After the public folder was copied too.
    async closeBundle() {
      await listFiles(folder);
      await precompress(folder);
    },
  };
}
