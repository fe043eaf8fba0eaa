import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

import { precompress } from "./vite/precompress.ts";

/** The server behind `npm run dev`; start it with its own command first. */
const server = process.env["LINGUALINKED_SERVER"] ?? "http://127.0.0.1:8080";

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  plugins: [svelte(), precompress()],
  worker: { format: "es" },
  build: {
    target: "es2022",
    // Nothing as a data: URL, so that a strict content security policy holds.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    headers: isolation,
    proxy: { "/api": server, "/models": server, "/signal": { target: server, ws: true } },
  },
});
