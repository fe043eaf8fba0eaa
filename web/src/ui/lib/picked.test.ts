import { describe, expect, it } from "vitest";

import type { RoomView } from "../../engine/messages.ts";
import { hasFloats, keptSo, mainFile, missingFile, readAddress, webAddress } from "./picked.ts";

describe("picked files", () => {
  it("are opened by their index, or the first with weights", () => {
    const shards = ["model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors", "config.json"];
    expect(mainFile([...shards, "model.safetensors.index.json"])).toBe("model.safetensors.index.json");
    expect(mainFile(shards)).toBe("model-00001-of-00002.safetensors");
    expect(mainFile(["notes.txt", "x.GGUF"])).toBe("x.GGUF");
    expect(mainFile(["config.json", "tokenizer.json"])).toBeNull();
  });

  it("may hold floats, as their names tell", () => {
    const names = [
      "https://a.org/x.safetensors?d=1",
      "/models/x-F16.gguf",
      "file:::x.bf16-00001-of-00002.gguf",
    ];
    expect(names.map(hasFloats)).toEqual([true, true, true]);
    expect(["/models/x-q8_0.gguf", "/models/f16.json", "x.gguf"].map(hasFloats)).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe("typed addresses", () => {
  it("are secure ones of model files", () => {
    expect(webAddress(" https://a.org/b/x.gguf?download=true#top ")).toBe(
      "https://a.org/b/x.gguf?download=true",
    );
    for (const text of ["", "x.gguf", "http://a.org/x.gguf", "https://a.org/", "https://a.org/x.zip"])
      expect(webAddress(text), text).toBeNull();
  });
});

describe("how a model is kept", () => {
  it("stands behind its address, and is read again", () => {
    for (const [address, precision, halvesCache, contextTokens] of [
      ["/models/x.gguf", "", false, null],
      ["/models/x.gguf#kv16", "", true, null],
      ["file:::a#b.gguf#q8_0", "q8_0", false, null],
      ["https://a.org/x.gguf#q4_0,kv16,ctx8192", "q4_0", true, 8192],
    ] as const) {
      const { url, ...keeping } = readAddress(address);
      expect(keeping).toEqual({ precision, halvesCache, contextTokens });
      expect(keptSo(url, keeping)).toBe(address);
    }
  });
});

describe("a room's picked file", () => {
  const room = (url: string, remark: string | null): RoomView =>
    ({ me: "b", coordinator: "a", model: { url }, peers: [{ me: true, remark }] }) as unknown as RoomView;
  const url = `file:12345:${"0a".repeat(32)}:my: model.gguf#q8_0,kv16`;

  it("is missing on a phone that cannot get ready without it", () => {
    expect(missingFile(room(url, "It runs no part."))).toEqual({ name: "my: model.gguf", bytes: 12345 });
    expect(missingFile(room(url, null))).toBeNull();
    expect(missingFile(room("/models/x.gguf", "It runs no part."))).toBeNull();
    expect(missingFile({ ...room(url, "It runs no part."), me: "a" })).toBeNull();
  });
});
