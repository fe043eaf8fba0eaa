import { expect, test, vi } from "vitest";

import { findKey, ownIdentity, type KeyStore } from "./key.ts";

const DAY_MS = 24 * 3600 * 1000;

function key(days: number): RTCCertificate {
  return { expires: Date.now() + days * DAY_MS, getFingerprints: () => [] };
}

/** A browser's store that has this key, or fails. */
function storeWith(kept: RTCCertificate | undefined | Error): { store: KeyStore; put: RTCCertificate[] } {
  const put: RTCCertificate[] = [];
  const keep = async (made: RTCCertificate): Promise<RTCCertificate> => {
    put.push(made);
    return made;
  };
  const get = (): Promise<RTCCertificate | undefined> =>
    kept instanceof Error ? Promise.reject(kept) : Promise.resolve(kept);
  return { store: { get, keep }, put };
}

const never = (): Promise<RTCCertificate> => Promise.reject(new Error("none is to be made"));

test("a phone keeps the key that it has", async () => {
  const kept = key(200);
  const { store, put } = storeWith(kept);
  expect(await findKey(store, never)).toBe(kept);
  expect(put).toEqual([]);
});

test("a first key, and one in place of a key that ends soon, are kept", async () => {
  for (const before of [undefined, key(20), key(-1)]) {
    const made = key(365);
    const { store, put } = storeWith(before);
    expect(await findKey(store, async () => made)).toBe(made);
    expect(put).toEqual([made]);
  }
});

test("a browser that keeps nothing has a key for the page, or none", async () => {
  const made = key(365);
  const { store } = storeWith(new Error("private window"));
  expect(await findKey(store, async () => made)).toBe(made);
  expect(await findKey(store, never)).toBeNull();
  const full = { ...storeWith(undefined).store, keep: () => Promise.reject(new Error("no")) };
  expect(await findKey(full, async () => made)).toBe(made);
});

test("a key that could not be read, or not in time, is not replaced", async () => {
  const failing = storeWith(new Error("the disk is busy"));
  const made = key(365);
  expect(await findKey(failing.store, async () => made)).toBe(made);
  expect(failing.put).toEqual([]);

  vi.useFakeTimers();
  const slow = storeWith(undefined);
  slow.store.get = () => new Promise(() => {});
  let found: RTCCertificate | null | undefined;
  void findKey(slow.store, async () => made).then((one) => (found = one));
  await vi.advanceTimersByTimeAsync(9_999);
  expect(found).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(found).toBe(made);
  expect(slow.put).toEqual([]);
  vi.useRealTimers();
});

test("two tabs at the first visit have the same key", async () => {
  const first = key(365);
  const { store } = storeWith(undefined);
  expect(await findKey({ ...store, keep: async () => first }, async () => key(365))).toBe(first);
});

test("a phone tells by what it is known, or that it cannot", async () => {
  const value = Array.from({ length: 32 }, (_, at) => at.toString(16).padStart(2, "0")).join(":");
  const told = { ...key(200), getFingerprints: () => [{ algorithm: "sha-256", value }] };
  expect(await ownIdentity(async () => told)).toBe(value.replaceAll(":", ""));
  expect(await ownIdentity(async () => null)).toBeNull();
  expect(await ownIdentity(async () => key(200))).toBeNull();
});
