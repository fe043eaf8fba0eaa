import { describe, expect, it } from "vitest";

import type { EngineError, PeerView, RoomView } from "../../engine/messages.ts";
import { nameFromUserAgent } from "./device.ts";
import {
  ago,
  byteRate,
  bytes,
  duration,
  initials,
  nameList,
  percent,
  plainBytes,
  rangeName,
  speed,
  slower,
  spread,
  tokenRate,
} from "./format.ts";
import { modelTitle, readModels } from "./models.ts";
import { noticeFor } from "./notices.ts";
import { loadTotals, phonesInOrder, segments } from "./phones.ts";
import { qrCode } from "./qr.ts";
import { askOptions, samplingFrom } from "./sampling.ts";
import { emptyPlan, emptyRoom, plainPeer } from "./testing.ts";

describe("numbers", () => {
  it("are said with three digits and the unit that fits", () => {
    expect([0, 999, 999.6, 12_345, 2_310_000, 1e9, 4.5e12].map(bytes)).toEqual([
      "0 B",
      "999 B",
      "1 kB",
      "12.3 kB",
      "2.31 MB",
      "1 GB",
      "4.5 TB",
    ]);
    expect([0, 0.00041, 0.00994, 0.00996, 0.342, 0.9996, 2.41, 59.6, 80].map(duration)).toEqual([
      "0 ms",
      "0.4 ms",
      "9.9 ms",
      "10 ms",
      "342 ms",
      "1 s",
      "2.41 s",
      "1 min 0 s",
      "1 min 20 s",
    ]);
    expect(tokenRate(23.71)).toBe("23.7 tokens/s");
    expect(speed(17.94e9)).toEqual({ words: "steady", figure: "17.9 GFLOP/s" });
    expect(speed(1.2e12).figure).toBe("1.2 TFLOP/s");
    expect(byteRate(12.34e6)).toBe("12.3 MB/s");
    expect([percent(1, 3), percent(5, 0), percent(7, 5)]).toEqual([33, 0, 100]);
  });

  it("say how long ago something was", () => {
    const minutes = [-5, 0, 0.9, 1, 59, 60, 1439, 1440, 2880, 50_000, 600_000];
    expect(minutes.map((then) => ago(0, then * 60_000))).toEqual([
      "just now",
      "just now",
      "just now",
      "1 minute ago",
      "59 minutes ago",
      "1 hour ago",
      "23 hours ago",
      "yesterday",
      "2 days ago",
      "last month",
      "last year",
    ]);
  });

  it("have their spread behind them, where there is one", () => {
    expect(spread(0.012, 0.0004, duration)).toBe("12 ± 0.4 ms");
    expect(spread(12.3e6, 0.4e6, byteRate)).toBe("12.3 MB/s ± 400 kB/s");
    expect(spread(0.012, null, duration)).toBe("12 ms");
    expect(slower(4)).toBe("and lately 4 times as slow");
    expect(slower(1.4)).toBe("");
  });

  it("are made plain in the engine's sentences", () => {
    expect(plainBytes("It needs 339000000 bytes, 12 bytes more than 4096 bytes and 1500000.")).toBe(
      "It needs 339 MB, 12 bytes more than 4.1 kB and 1.5 MB.",
    );
  });
});

describe("names", () => {
  it("are listed as people list them", () => {
    expect([[], ["Ada"], ["Ada", "Ben"], ["Ada", "Ben", "Clara"]].map(nameList)).toEqual([
      "",
      "Ada",
      "Ada and Ben",
      "Ada, Ben and Clara",
    ]);
  });

  it("shrink to initials, whatever the script", () => {
    expect(["Ada", "grandma clara b", "", "  ", "👩‍🚀 Eva", "李 明"].map(initials)).toEqual([
      "A",
      "GC",
      "?",
      "?",
      "👩E",
      "李明",
    ]);
  });

  it("of modules follow the model's order", () => {
    expect([rangeName(1, 2), rangeName(3, 6)]).toEqual(["part 2", "parts 4 to 6"]);
  });

  it("of models are told from how the weights are stored", () => {
    expect(modelTitle("stories-q8_0.gguf")).toEqual({ title: "Stories", weights: "Q8_0" });
    expect(modelTitle("Qwen3-0.6B-Q4_K_M.gguf")).toEqual({ title: "Qwen3 0.6B", weights: "Q4_K_M" });
    expect(modelTitle("tiny")).toEqual({ title: "Tiny", weights: null });
    expect(modelTitle("")).toEqual({ title: "", weights: null });
  });

  it("of devices say no more than they know", () => {
    const agent = (system: string): string => `Mozilla/5.0 (${system}) AppleWebKit/537.36 Chrome/156.0.0.0`;
    const systems = [
      "Linux; Android 10; K",
      "Linux; Android 14; Pixel 8a",
      "iPhone; CPU iPhone OS 26_0",
      "X11; Linux x86_64",
    ];
    expect(systems.map((system) => nameFromUserAgent(agent(system)))).toEqual([
      "Android phone",
      "Pixel 8a",
      "iPhone",
      "Linux computer",
    ]);
  });
});

describe("the list of models", () => {
  it("is read with care", () => {
    const good = { name: "b.gguf", bytes: 9, url: "/models/b.gguf" };
    const small = { name: "a.gguf", bytes: 5, url: "/models/a.gguf" };
    const elsewhere = { name: "c.gguf", bytes: 1, url: "https://elsewhere.example/c.gguf" };
    expect(readModels([good, null, { name: 3 }, elsewhere, small])).toEqual([small, good]);
    expect(() => readModels({})).toThrow("not a list");
  });
});

describe("a notice", () => {
  it("names both counts of a prompt that is too long", () => {
    const error = { code: "prompt_too_long", message: "", promptTokens: 611, contextTokens: 512 } as const;
    expect(noticeFor(error).advice).toMatch(/611 tokens.*512/);
  });

  it("says that a new room has a new code, to whom it matters", () => {
    const lost: EngineError = { code: "device_lost", message: "" };
    expect(noticeFor(lost, true).advice).toMatch(/try again\. .*scan its code/);
    expect(noticeFor(lost, false).advice).not.toMatch(/scan its code/);
    const left: EngineError = { code: "phone_left", message: "" };
    expect(noticeFor(left, true)).toEqual(noticeFor(left, false));
  });

  it("tells in the planner's words what does not fit", () => {
    const plain = noticeFor({ code: "does_not_fit", message: "" });
    const told = noticeFor({ code: "does_not_fit", message: "The header lacks 2000000 bytes." });
    expect(told).toMatchObject({ title: plain.title, advice: "The header lacks 2 MB.", detail: "" });
    expect(plain.advice).toMatch(/less memory than the model needs/);
  });

  it("exists even for a code from a newer engine", () => {
    expect(noticeFor({ code: "brand_new" as "internal", message: "" }).title).toBe("Something went wrong");
  });
});

describe("the picture of who holds what", () => {
  const room = makeRoom();

  it("colours the phones in the order of the ring, the same for everybody", () => {
    const order = phonesInOrder(room).map(({ peer, colour }) => [peer.id, colour]);
    const expected = [
      ["cc", "var(--phone-0)"],
      ["aa", "var(--phone-1)"],
      ["bb", "var(--phone-2)"],
    ];
    expect(order).toEqual(expected);
    const elsewhere = { ...room, peers: [...room.peers].reverse() };
    expect(phonesInOrder(elsewhere).map(({ peer }) => peer.id)).toEqual(["cc", "aa", "bb"]);
  });

  it("counts every stage of a phone, for the header may have two", () => {
    expect(phonesInOrder(room).map(({ modules }) => modules)).toEqual([3, 3, 0]);
  });

  it("shows how much of every stage has been loaded", () => {
    const parts = segments(room).map(({ phone, start, end, loaded }) => [phone.peer.id, start, end, loaded]);
    expect(parts).toEqual([
      ["cc", 0, 2, 0.25],
      ["aa", 2, 5, 1],
      ["cc", 5, 6, 0.25],
    ]);
    expect(loadTotals(room)).toEqual({ loadedBytes: 110, totalBytes: 140 });
  });

  it("puts copies on the parts that they are of", () => {
    const overlap = [
      { peer: "cc", start: 2, end: 3, weightsBytes: 1 },
      { peer: "aa", start: 1, end: 2, weightsBytes: 1 },
      { peer: "aa", start: 5, end: 6, weightsBytes: 1 },
    ];
    const copied = { ...room, plan: { ...emptyPlan(), ...room.plan, overlap } };
    const found = segments(copied).map(({ copies }) =>
      copies.map(({ phone, start, end }) => [phone.peer.id, start, end]),
    );
    expect(found).toEqual([[["aa", 1, 2]], [["cc", 2, 3]], [["aa", 5, 6]]]);
    expect(phonesInOrder(copied).map(({ copies }) => copies)).toEqual([1, 2, 0]);
  });
});

describe("a QR code", () => {
  it("draws its dark modules and leaves a quiet zone", () => {
    const { size, path } = qrCode(`https://192.168.1.7:8443/#${"A".repeat(43)}`);
    // Version 5 or 6 with four light modules on either side.
    expect([45, 49]).toContain(size);
    expect(path.startsWith("M4 4h7v1h-7z")).toBe(true);
  });
});

describe("sampling", () => {
  it("draws a new seed for every question unless one is given", () => {
    const free = samplingFrom({ temperature: null, seed: null, maxTokens: null });
    const fixed = samplingFrom({ temperature: 0, seed: 7, maxTokens: 64 });
    let drawn = 40;
    expect([askOptions(free, () => ++drawn).seed, askOptions(free, () => ++drawn).seed]).toEqual([41, 42]);
    expect(askOptions(fixed)).toMatchObject({ temperature: 0, seed: 7, maxTokens: 64 });
  });

  it("follows the style, except where the address says the temperature", () => {
    const chosen = samplingFrom({ temperature: null, seed: 1, maxTokens: null });
    expect(askOptions(chosen)).toMatchObject({ temperature: 0.7, topK: 40, topP: 0.95 });
    expect(askOptions({ ...chosen, style: "playful" })).toMatchObject({ temperature: 1.1, minP: 0.05 });
    expect(askOptions({ ...chosen, temperature: 0 })).toMatchObject({ temperature: 0, topK: 40 });
  });
});

function makeRoom(): RoomView {
  const peers = [makePeer("aa", 100, 100, true), makePeer("bb", 0, 0, true), makePeer("cc", 10, 40, false)];
  const stage = { weightsBytes: 1, predictedSecs: 1, measuredSecs: null };
  const stages = [
    { peer: "cc", start: 0, end: 2, ...stage },
    { peer: "aa", start: 2, end: 5, ...stage },
    { peer: "cc", start: 5, end: 6, ...stage },
  ];
  return { ...emptyRoom("loading"), me: "aa", coordinator: "cc", peers, plan: { ...emptyPlan(), stages } };
}

function makePeer(id: string, loadedBytes: number, totalBytes: number, ready: boolean): PeerView {
  return { ...plainPeer(id), me: id === "aa", coordinator: id === "cc", loadedBytes, totalBytes, ready };
}
