import { expect, test } from "vitest";

import type { StartConfig } from "../../engine/messages.ts";
import { emptyView, withTurn } from "../../engine/view.ts";
import { forget, recall, remember } from "./resume.ts";

const config: StartConfig = {
  signalUrl: "ws://x/signal",
  secret: null,
  reopens: false,
  name: "Ada",
  device: "Pixel",
  modelUrl: "/models/x.gguf",
  pledge: { bytes: 9 },
  wire: "f16",
  balances: true,
  skips: true,
  requests: null,
};

function storage(): { store: Parameters<typeof forget>[0] } {
  const items = new Map<string, string>();
  const store = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
  return { store };
}

test("a room and its conversation are there after the page was loaded anew", () => {
  const { store } = storage();
  expect(recall(store)).toBeNull();
  const view = { ...withTurn(emptyView(), 1, "Hello"), invitation: "secret" };
  remember(store, config, view);
  const saved = recall(store);
  expect(saved?.config).toEqual({ ...config, secret: "secret", reopens: true });
  expect(saved?.turns).toMatchObject([{ ask: 1, prompt: "Hello", state: "failed" }]);
  forget(store);
  expect(recall(store)).toBeNull();
});

test("who joined a room has none to go on with", () => {
  const { store } = storage();
  remember(store, config, withTurn(emptyView(), 1, "Hello"));
  expect(recall(store)).toBeNull();
  store.setItem("lingualinked.room", "{");
  expect(recall(store)).toBeNull();
});
