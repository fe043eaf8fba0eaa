import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

import { finish } from "./vite/finish.ts";
import { SERVICE_WORKER } from "./vite/list-files.ts";

/** The server behind `npm run dev`; start it with its own command first. */
const server = process.env["LINGUALINKED_SERVER"] ?? "http://127.0.0.1:8080";

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  plugins: [svelte(), finish()],
  worker: { format: "es" },
  build: {
    target: "es2022",
    // Nothing as a data: URL, so that a strict content security policy holds.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: "index.html", serviceWorker: "src/offline/service-worker.ts" },
      output: {
        // A service worker is known by its address.
        entryFileNames: ({ name }) => (name === "serviceWorker" ? SERVICE_WORKER : "assets/[name]-[hash].js"),
      },
    },
  },
  server: {
    headers: isolation,
    proxy: { "/api": server, "/models": server, "/signal": { target: server, ws: true } },
  },
});
