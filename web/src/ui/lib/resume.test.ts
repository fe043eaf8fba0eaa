import { expect, test, vi } from "vitest";

import type { StartConfig } from "../../engine/messages.ts";
import { emptyView, withTurn } from "../../engine/view.ts";
import { roomOnly } from "./home.ts";
import { atHome } from "./start.ts";
import { emptyRoom } from "./testing.ts";
import { tabKeeper, type TabKeeper } from "./keeping.ts";
import { forget, recall, remember } from "./resume.ts";
import { plainDoor } from "./testing.ts";

const secret = "s".repeat(43);
const config: StartConfig = {
  signalUrl: "ws://x/signal",
  secret: null,
  starts: true,
  reopens: false,
  waits: false,
  name: "Ada",
  device: "Pixel",
  modelUrl: "/models/x.gguf",
  pledge: { bytes: 9 },
  wire: "f16",
  balances: true,
  skips: true,
  requests: null,
  door: plainDoor,
};

const known = { config, isAtHome: true, trusted: ["aa"] };

function storage(): { store: TabKeeper } {
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
  const view = { ...withTurn(emptyView(), 1, "Hello"), invitation: `${secret}${"t".repeat(22)}` };
  remember(store, known, view);
  const saved = recall(store);
  expect(saved?.config).toEqual({
    ...config,
    secret,
    reopens: true,
    door: { ...plainDoor, trusted: ["aa"] },
  });
  expect(saved?.isAtHome).toBe(true);
  expect(saved?.turns).toMatchObject([{ ask: 1, prompt: "Hello", state: "failed" }]);
  forget(store);
  expect(recall(store)).toBeNull();
});

test("whom a room had let in is known, and a locked one stays locked", () => {
  const { store } = storage();
  const door = { locked: true, admitsAll: false, askers: [], admitted: ["aa"] };
  const room = { ...emptyRoom("gathering"), door };
  remember(store, known, { ...emptyView(), invitation: "secret", room });
  const { trusted } = known;
  expect(recall(store)?.config.door).toEqual({ ...config.door, locked: true, admitted: ["aa"], trusted });
});

test("whoever was taken off the list while the page was loaded anew has to ask", () => {
  const { store } = storage();
  const admitted = ["aa", "bb", "cc"];
  const door = { locked: false, admitsAll: false, askers: [], admitted };
  const room = { ...emptyRoom("gathering"), door };
  remember(store, { ...known, trusted: ["aa", "bb"] }, { ...emptyView(), invitation: secret, room });
  const saved = recall(store)?.config ?? config;
  const again = atHome(saved, roomOnly(), ["bb"]).door;
  expect(again).toMatchObject({ trusted: ["bb"], admitted: ["bb", "cc"] });
});

test("a tab that may keep nothing has no room to go on with", () => {
  vi.stubGlobal("sessionStorage", undefined);
  Object.defineProperty(globalThis, "sessionStorage", {
    configurable: true,
    get: () => {
      throw new DOMException("forbidden", "SecurityError");
    },
  });
  const none = tabKeeper();
  vi.unstubAllGlobals();
  remember(none, known, { ...withTurn(emptyView(), 1, "Hello"), invitation: secret });
  expect(recall(none)).toBeNull();
  forget(none);
});

test("who joined a room has none to go on with", () => {
  const { store } = storage();
  remember(store, known, withTurn(emptyView(), 1, "Hello"));
  expect(recall(store)).toBeNull();
  store.setItem("lingualinked.room", "{");
  expect(recall(store)).toBeNull();
});
