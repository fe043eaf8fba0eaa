import { describe, expect, it } from "vitest";

import { keptBytes, keptShare, removeKept, type Storage } from "./kept.ts";

type Tree = { [name: string]: Tree | number };

/** A directory of the browser's file system; numbers are the sizes of files. */
function directory(tree: Tree): FileSystemDirectoryHandle {
  const scripted = {
    kind: "directory",
    async *values() {
      for (const [name, entry] of Object.entries(tree))
        yield typeof entry === "number"
          ? { kind: "file", name, getFile: async () => ({ size: entry }) }
          : directory(entry);
    },
    async getDirectoryHandle(name: string) {
      const entry = tree[name];
      if (typeof entry !== "object") throw new DOMException("", "NotFoundError");
      return directory(entry);
    },
    async removeEntry(name: string) {
      delete tree[name];
    },
  };
  return scripted as unknown as FileSystemDirectoryHandle;
}

describe("what is kept", () => {
  it("is counted and removed, and nothing else is", async () => {
    const tree: Tree = { models: { a: { version: 10, "0-512": 544 }, b: { "0-1": 33 } }, other: { x: 7 } };
    const storage: Storage = { getDirectory: async () => directory(tree) };
    expect(await keptBytes(storage)).toBe(587);
    await removeKept(storage);
    expect(await keptBytes(storage)).toBe(0);
    expect(tree).toEqual({ other: { x: 7 } });
  });

  it("is nothing where the browser keeps nothing", async () => {
    const refuses: Storage = { getDirectory: () => Promise.reject(new DOMException("", "SecurityError")) };
    expect(await keptBytes(refuses)).toBe(0);
  });

  it("of a file is known by its address, and overlapping pieces count once", async () => {
    // SHA-256 of the address.
    const name = "01ec6db371a234af589c814f956fcef1ed3a9da25cc5c87be677e806c6eabb9a";
    const tree: Tree = { models: { [name]: { version: 10, "0-512": 544, "256-768": 544, "900-1000": 132 } } };
    const storage: Storage = { getDirectory: async () => directory(tree) };
    expect(await keptShare("/models/x.gguf", 1000, storage)).toBe(0.868);
    expect(await keptShare("/models/y.gguf", 1000, storage)).toBe(0);
  });
});
