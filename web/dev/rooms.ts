import type { AskerView, PeerView, PlanView, RoomPhase, RoomView } from "../src/engine/messages.ts";
import { Hosts } from "../src/ui/lib/hosts.ts";
import { TrustedPhones } from "../src/ui/lib/trust.ts";

/** What the address of a story may change: `&phones=5&modules=130&names=long&ring=closed&measured=no&labels=yes&lent=0.1`. */
export interface Setting {
  phones: number;
  modules: number;
  hasLongNames: boolean;
  /** The first phone has the last part too. */
  isClosed: boolean;
  isMeasured: boolean;
  /** The model is a classifier. */
  tellsApart: boolean;
  /** Memory to lend, times what each person lends otherwise. */
  lent: number;
}

export function settingOf(search: string): Setting {
  const query = new URLSearchParams(search);
  return {
    phones: Number(query.get("phones") ?? 3),
    modules: Number(query.get("modules") ?? 14),
    hasLongNames: query.get("names") === "long",
    isClosed: query.get("ring") === "closed",
    isMeasured: query.get("measured") !== "no",
    tellsApart: query.get("labels") === "yes",
    lent: Number(query.get("lent") ?? 1),
  };
}

const people = [
  { name: "Ada", long: "Adalbertina’s old tablet", device: "Pixel 8a", flopsPerSec: 61.4e9 },
  { name: "Ben", long: "Benjamin in the kitchen", device: "Galaxy A54", flopsPerSec: 17.9e9 },
  { name: "Grandma Clara", long: "Grandma Clara’s big phone", device: "Android phone", flopsPerSec: 9.2e9 },
  { name: "Dan", long: "Donaudampfschiffkapitän", device: "iPhone", flopsPerSec: 31.5e9 },
  { name: "Eve", long: "Eve (charging, be careful)", device: "Linux computer", flopsPerSec: 24.8e9 },
].map((person, index) => ({
  ...person,
  id: `${index}badcafe`,
  pledgeBytes: [1e9, 5e8, 25e7][index % 3] ?? 1e9,
}));

const pictures = [
  { symbol: "🏠", name: "house" },
  { symbol: "🐙", name: "octopus" },
  { symbol: "🍄", name: "mushroom" },
  { symbol: "🌳", name: "tree" },
];

/** Somebody at the other end of a link that waits for a person. */
export function makeAsker(setting: Setting, index: number): AskerView {
  const { id, name, long, device } = people[index] ?? { id: "", name: "", long: "", device: "" };
  return { id, name: setting.hasLongNames ? long : name, device, identity: id.repeat(8), pictures };
}

/** Some phones that are remembered, the first of them with a name that it was given. */
export function makeTrusted(setting: Setting): TrustedPhones {
  const trusted = new TrustedPhones(null);
  for (const index of [2, 1]) {
    trusted.trust(makeAsker(setting, index), Date.now() - index * DAY_MS);
    if (index === 1) trusted.rename(makeAsker(setting, index).identity, "The kitchen");
  }
  return trusted;
}

/** Some phones to come back to. */
export function makeHosts(setting: Setting): Hosts {
  const hosts = new Hosts(null);
  for (const index of [3, 0]) {
    const { identity, name, device } = makeAsker(setting, index);
    hosts.put({ identity, name, device, secret: "A".repeat(43), seenMs: Date.now() - index * DAY_MS });
  }
  return hosts;
}

const DAY_MS = 86_400_000;
const MODULE_BYTES = 22e6;

export function makeRoom(phase: RoomPhase, setting: Setting, steps = 0): RoomView {
  const isPlanned = ["loading", "ready", "failed"].includes(phase);
  const plan = isPlanned ? makePlan(setting) : null;
  const there = people.slice(0, setting.phones);
  return {
    phase,
    me: "0badcafe",
    coordinator: "0badcafe",
    peers: there.map((_, index) => makePeer(phase, setting, plan, index, steps)),
    door: { locked: false, admitsAll: false, askers: [], admitted: [] },
    asking: null,
    measuring: phase === "measuring" ? { done: 7, total: 23 } : null,
    plan,
    model: {
      name: "stories-q8_0.gguf",
      url: "/models/stories.gguf",
      modules: setting.modules,
      weightsBytes: setting.modules * MODULE_BYTES,
      contextTokens: 512,
      takesChats: false,
      labels: setting.tellsApart ? ["glad", "so-so", "sad"] : [],
    },
    links: there.flatMap(({ id: from }, index) =>
      there
        .filter(({ id }) => id !== from)
        .map(({ id: to }) => ({
          from,
          to,
          rttSecs: 0.004 + 0.001 * index,
          rttSpreadSecs: 0.0006,
          bytesPerSec: 12.3e6,
          bytesPerSecSpread: 1.1e6,
          rttDrift: 1,
          bytesDrift: 1,
        })),
    ),
    error: null,
  };
}

/** Parts by speed; every phone has copies of the first modules of the next one's part. */
function makePlan({ phones, modules, isClosed, isMeasured }: Setting): PlanView {
  const there = people.slice(0, phones);
  const speeds = there.reduce((sum, { flopsPerSec }) => sum + flopsPerSec, 0);
  const shared = isClosed ? modules - 1 : modules;
  let done = 0;
  const cuts = there.map(({ flopsPerSec }) => Math.round((shared * (done += flopsPerSec)) / speeds));
  const ring = isClosed ? [...there, ...there.slice(0, 1)] : there;
  const stages = ring.map(({ id: peer, flopsPerSec }, index) => {
    const [start, end] = [cuts[index - 1] ?? 0, cuts[index] ?? modules];
    const predictedSecs = ((end - start) / modules) * (0.9e9 / flopsPerSec);
    const measuredSecs = isMeasured ? predictedSecs * 1.05 : null;
    return { peer, start, end, weightsBytes: (end - start) * MODULE_BYTES, predictedSecs, measuredSecs };
  });
  const overlap = stages.slice(1).map(({ start, end }, index) => {
    const held = Math.min(end - start, Math.max(1, Math.round(modules / 20)));
    return { peer: ring[index]?.id ?? "", start, end: start + held, weightsBytes: held * MODULE_BYTES };
  });
  const hops = ring.map(({ id }, index) => ({ from: id, to: ring[(index + 1) % ring.length]?.id ?? "" }));
  const traffic = hops
    .filter(({ from, to }) => from !== to)
    .map((hop, index) => ({ ...hop, bytes: 1200, predictedSecs: 0.0021 + 0.0004 * index }));
  const predictedTokenSecs = [...stages, ...traffic].reduce(
    (sum, { predictedSecs }) => sum + predictedSecs,
    0,
  );
  return {
    stages,
    overlap,
    traffic,
    predictedTokenSecs,
    measuredTokenSecs: isMeasured ? predictedTokenSecs * 1.07 : null,
    lowerBoundSecs: predictedTokenSecs,
    cause: null,
    pauseSecs: null,
    reason: "No phone lends enough memory for the whole model, so it is shared out by speed.",
    equalSplitSecs: modules > 100 ? null : predictedTokenSecs * 1.7,
    bestAlone: modules > 40 ? null : { peer: "0badcafe", secs: predictedTokenSecs * 1.35 },
    unused: [],
  };
}

function makePeer(
  phase: RoomPhase,
  setting: Setting,
  plan: PlanView | null,
  index: number,
  steps: number,
): PeerView {
  const person = people[index];
  if (!person) throw new Error("no such person");
  const { id, device } = person;
  const own = plan?.stages.filter(({ peer }) => peer === id) ?? [];
  const copies = plan?.overlap.filter(({ peer }) => peer === id) ?? [];
  const totalBytes = [...own, ...copies].reduce((sum, { weightsBytes }) => sum + weightsBytes, 0);
  const part = phase === "loading" ? ([1, 0.64, 0.21][index % 3] ?? 0) : 1;
  const isMeasured = phase !== "gathering" && (phase !== "measuring" || index < 2);
  const [first] = own;
  const isLost = phase === "failed" && index === 1;
  return {
    id,
    name: setting.hasLongNames ? person.long : person.name,
    device,
    me: index === 0,
    coordinator: index === 0,
    identity: id.repeat(8),
    link: isLost ? "lost" : "open",
    flopsPerSec: isMeasured ? person.flopsPerSec : null,
    flopsPerSecSpread: isMeasured ? person.flopsPerSec / 30 : null,
    remark: null,
    pledgeBytes: person.pledgeBytes * setting.lent,
    usedBytes: plan ? totalBytes * 1.1 : 0,
    stage: first ? { start: first.start, end: first.end, weightsBytes: first.weightsBytes } : null,
    loadedBytes: totalBytes * part,
    totalBytes,
    ready: part === 1 && plan !== null,
    waitingRows: 0,
    counters: {
      stepsRun: steps,
      rowsRun: steps,
      dispatches: steps * 12,
      bytesFetched: totalBytes * part,
      bytesSent: steps * 1200,
      bytesReceived: steps * 1200,
    },
  };
}
