import { certificateOf } from "./certificates.ts";
import type { Identity } from "./messages.ts";

/** How long a key lasts; no browser makes one that lasts longer. */
const LIFE_MS = 365 * 24 * 3600 * 1000;
/** Before it ends a new one is made, and the phone is another for those who know the old one. */
const RENEWED_BEFORE_MS = 45 * 24 * 3600 * 1000;
/** A database that another tab holds up is done without. Reading is waited for longer: another key makes this phone a stranger. */
const READ_PATIENCE_MS = 10_000;
const PATIENCE_MS = 3000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", expires: LIFE_MS };

/** Where a key is kept. */
export interface KeyStore {
  get(): Promise<RTCCertificate | undefined>;
  /** Keeps this one, unless a good one is kept by now, as by another tab. Gives the one that is kept. */
  keep(made: RTCCertificate): Promise<RTCCertificate>;
}

/**
 * The key by which this phone is known again: the certificate of all its links. The browser keeps it, and gives nobody
 * its private part. Where the browser keeps nothing (a private window) it is good for as long as the page is open, and
 * where it makes none (null) every link has another.
 */
export async function findKey(
  store: KeyStore = browserStore,
  make: () => Promise<RTCCertificate> = () => RTCPeerConnection.generateCertificate(ALGORITHM),
): Promise<RTCCertificate | null> {
  const read = await quietly(
    store.get().then((kept) => ({ kept })),
    READ_PATIENCE_MS,
  );
  if (isGood(read?.kept)) return read.kept;
  const made = await quietly(Promise.resolve().then(make));
  if (!made) return null;
  // What could not be read may still be there, and stays: with another key nobody would know this phone again.
  const kept = read && (await quietly(store.keep(made)));
  return kept ?? made;
}

function isGood(key: RTCCertificate | undefined): key is RTCCertificate {
  return key !== undefined && key.expires - Date.now() > RENEWED_BEFORE_MS;
}

let found: Promise<RTCCertificate | null> | undefined;

/** The same for every room of this page. */
export function deviceKey(): Promise<RTCCertificate | null> {
  return (found ??= findKey());
}

/** By what this phone is known, in every room of this page; null where that cannot be told. */
export async function ownIdentity(key = deviceKey): Promise<Identity | null> {
  const known = await key();
  const bytes = known && (await quietly(certificateOf(known)));
  return bytes ? bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("") : null;
}

/** Nothing where it fails or takes too long. */
function quietly<T>(work: Promise<T>, patienceMs = PATIENCE_MS): Promise<T | undefined> {
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), patienceMs));
  const failed = (cause: unknown): undefined => void console.info("no lasting key", cause);
  return Promise.race([work.catch(failed), late]);
}

const TABLE = "keys";
const LINKS = "links";

const browserStore: KeyStore = {
  get: () => within("readonly", kept),
  keep: (made) => within("readwrite", (table) => keepIn(table, made)),
};

function kept(table: IDBObjectStore): Promise<RTCCertificate | undefined> {
  return answer(table.get(LINKS) as IDBRequest<RTCCertificate | undefined>);
}

/** In one transaction: of two tabs at the first visit, the second takes the first one's. */
async function keepIn(table: IDBObjectStore, made: RTCCertificate): Promise<RTCCertificate> {
  const found = await kept(table);
  if (isGood(found)) return found;
  await answer(table.put(made, LINKS));
  return made;
}

async function within<T>(mode: IDBTransactionMode, ask: (table: IDBObjectStore) => Promise<T>): Promise<T> {
  const opening = indexedDB.open("lingualinked", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE);
  const database = await answer(opening);
  try {
    return await ask(database.transaction(TABLE, mode).objectStore(TABLE));
  } finally {
    database.close();
  }
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the database gave no reason"));
  });
}
