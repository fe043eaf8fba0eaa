import { expect, test } from "vitest";

import { wayOf } from "./route.ts";

const HERE = "https://192.168.0.2:8080";
const FILES = new Set(["/index.html", "/icon.svg", "/assets/index-1a2b.js"]);

function way(path: string, mode = "cors", method = "GET"): string {
  return wayOf({ url: new URL(path, HERE).href, mode, method }, HERE, FILES);
}

test("people get the page, with or without wishes and invitations", () => {
  for (const path of ["/", "/?name=Ada", "/index.html", "/#secret", "/room/of/ours"])
    expect(way(path, "navigate"), path).toBe("page");
});

test("files of the page", () => {
  expect(way("/assets/index-1a2b.js", "no-cors")).toBe("hashed");
  // Of another version.
  expect(way("/assets/index-3c4d.js", "no-cors")).toBe("hashed");
  expect(way("/icon.svg", "no-cors")).toBe("file");
  expect(way("/icon.svg", "navigate")).toBe("file");
});

test("nothing else is touched", () => {
  for (const path of [
    "/api/models",
    "/api/stats",
    "/models/x.gguf",
    "/models/a/b",
    "/signal",
    "/metrics",
    "/healthz",
  ])
    for (const mode of ["cors", "navigate"]) expect(way(path, mode), path).toBe("none");
  for (const path of ["/sw.js", "/other", "https://example.org/icon.svg", "http://192.168.0.2:8080/icon.svg"])
    expect(way(path), path).toBe("none");
  expect(way("/", "navigate", "POST")).toBe("none");
});
