import { expect, test } from "vitest";

import { modelsHere, rememberModels } from "./offline.ts";

function store(): Pick<Storage, "getItem" | "setItem"> {
  const items = new Map<string, string>();
  return { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => void items.set(key, value) };
}

/** A phone that keeps so much of every file. */
function phone(bytes: number): Pick<StorageManager, "getDirectory"> {
  const folder = {
    getDirectoryHandle: async () => folder,
    async *values() {
      yield { kind: "file", name: `0-${bytes}` };
    },
  };
  return { getDirectory: async () => folder as unknown as FileSystemDirectoryHandle };
}

const MODELS = [
  { name: "small.gguf", bytes: 100, url: "/models/small.gguf" },
  { name: "large.gguf", bytes: 1000, url: "/models/large.gguf" },
];

test("what was offered last and is kept as good as whole can be started", async () => {
  const kept = store();
  rememberModels(MODELS, kept);
  expect(await modelsHere(kept, phone(98))).toEqual([MODELS[0]]);
  expect(await modelsHere(kept, phone(1000))).toEqual(MODELS);
  expect(await modelsHere(kept, phone(90))).toEqual([]);
});

test("nothing is offered where nothing is remembered, or nonsense", async () => {
  const kept = store();
  expect(await modelsHere(kept, phone(1000))).toEqual([]);
  for (const nonsense of ["{", "7", '[{"name":"x"}]']) {
    kept.setItem("lingualinked.models", nonsense);
    expect(await modelsHere(kept, phone(1000))).toEqual([]);
  }
});
