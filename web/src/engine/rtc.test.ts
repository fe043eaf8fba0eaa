import { beforeEach, describe, expect, it, vi } from "vitest";

import type { RtcEvent } from "./messages.ts";
import { CHANNEL_LABEL, RtcHost } from "./rtc.ts";

/** A peer connection that writes down what is asked of it. */
class FakeConnection extends EventTarget {
  readonly calls: string[] = [];
  connectionState: RTCPeerConnectionState = "new";
  signalingState: RTCSignalingState = "stable";
  localDescription: RTCSessionDescriptionInit | null = null;
  remoteDescription: RTCSessionDescriptionInit | null = null;
  sctp: { transport: { getRemoteCertificates?: () => ArrayBuffer[] } } | null = null;
  /** Descriptions wait for this, so that tests can hold one back. */
  gate: Promise<void> = Promise.resolve();

  constructor(readonly configuration: RTCConfiguration) {
    super();
  }

  createDataChannel(label: string, options: RTCDataChannelInit): object {
    this.calls.push(`channel ${label} ordered=${options.ordered} id=${options.id}`);
    return { label };
  }
  async createOffer(options?: RTCOfferOptions): Promise<RTCSessionDescriptionInit> {
    return { type: "offer", sdp: options?.iceRestart ? "our restart" : "our offer" };
  }
  getConfiguration(): RTCConfiguration {
    return this.configuration;
  }
  setConfiguration({ iceServers }: RTCConfiguration): void {
    this.calls.push(`servers ${iceServers?.length}`);
  }
  async createAnswer(): Promise<RTCSessionDescriptionInit> {
    return { type: "answer", sdp: "our answer" };
  }
  async setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.localDescription = description;
    this.signalingState = description.type === "offer" ? "have-local-offer" : "stable";
  }
  async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    await this.gate;
    if (description.sdp === "broken") throw new Error("broken sdp");
    this.calls.push(`remote ${description.type}`);
    this.remoteDescription = description;
    this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
  }
  async addIceCandidate({ candidate }: RTCIceCandidateInit): Promise<void> {
    this.calls.push(`candidate ${candidate}`);
    if (candidate === "unusable") throw new Error("unknown kind of candidate");
  }
  close(): void {
    this.calls.push("close");
  }
}

let connections: FakeConnection[];
let events: RtcEvent[];
let transfers: (Transferable[] | undefined)[];
let host: RtcHost;

beforeEach(() => {
  connections = [];
  events = [];
  transfers = [];
  host = new RtcHost(
    (event, transfer) => {
      events.push(event);
      transfers.push(transfer);
    },
    (configuration) => {
      const connection = new FakeConnection(configuration);
      connections.push(connection);
      return connection as unknown as RTCPeerConnection;
    },
  );
});

function candidate(peer: string, text: string): Promise<void> {
  return host.handle({ kind: "candidate", peer, candidate: text, mid: "0", line: 0 });
}

function fire(connection: FakeConnection | undefined, type: string, fields: object): void {
  connection?.dispatchEvent(Object.assign(new Event(type), fields));
}

describe("a phone that offers", () => {
  it("hands the channel over before it describes itself", async () => {
    await host.handle({ kind: "config", iceServers: [{ urls: "stun:example.org" }] });
    await host.handle({ kind: "offer", peer: "a" });
    expect(connections[0]?.configuration).toEqual({ iceServers: [{ urls: "stun:example.org" }] });
    expect(connections[0]?.calls).toEqual([`channel ${CHANNEL_LABEL} ordered=true id=0`]);
    expect(events.map((event) => event.kind)).toEqual(["channel", "description"]);
    expect(transfers[0]).toHaveLength(1);
    expect(events[1]).toEqual({ kind: "description", peer: "a", description: "offer", sdp: "our offer" });
  });

  it("keeps candidates until the answer is in", async () => {
    await host.handle({ kind: "offer", peer: "a" });
    await candidate("a", "early");
    await host.handle({ kind: "accept", peer: "a", sdp: "their answer" });
    await candidate("a", "late");
    expect(connections[0]?.calls.slice(1)).toEqual(["remote answer", "candidate early", "candidate late"]);
  });

  it("closes the connection before when it offers again", async () => {
    await host.handle({ kind: "offer", peer: "a" });
    await host.handle({ kind: "offer", peer: "a" });
    expect(connections.map((connection) => connection.calls.includes("close"))).toEqual([true, false]);
    fire(connections[0], "connectionstatechange", {});
    expect(events.filter((event) => event.kind === "state")).toEqual([]);
  });
});

describe("a phone that answers", () => {
  it("takes commands for one phone in order, whatever they wait for", async () => {
    const answering = host.handle({ kind: "answer", peer: "a", sdp: "their offer" });
    await Promise.all([answering, candidate("a", "one"), candidate("a", "unusable"), candidate("a", "two")]);
    expect(connections[0]?.calls.slice(1)).toEqual([
      "remote offer",
      "candidate one",
      "candidate unusable",
      "candidate two",
    ]);
    expect(events.slice(1)).toEqual([
      { kind: "description", peer: "a", description: "answer", sdp: "our answer" },
    ]);
  });

  it("makes the channel itself, before it looks at the offer", async () => {
    await host.handle({ kind: "answer", peer: "a", sdp: "their offer" });
    expect(events.map((event) => event.kind)).toEqual(["channel", "description"]);
    expect(connections[0]?.calls.slice(0, 2)).toEqual([
      "channel lingualinked ordered=true id=0",
      "remote offer",
    ]);
  });

  it("reports a negotiation that fails, once, and forgets the phone", async () => {
    await host.handle({ kind: "answer", peer: "a", sdp: "broken" });
    await candidate("a", "too late");
    expect(events.slice(1)).toEqual([{ kind: "state", peer: "a", state: "failed" }]);
    expect(connections[0]?.calls.slice(1)).toEqual(["close"]);
  });
});

describe("a connection that is encrypted", () => {
  const sdp = `v=0\r\na=fingerprint:sha-256 ${Array.from({ length: 32 }, () => "0A").join(":")}\r\n`;
  const own = Array.from({ length: 32 }, () => 10);

  async function connected(sctp: FakeConnection["sctp"]): Promise<RtcEvent | undefined> {
    await host.handle({ kind: "offer", peer: "a" });
    const [connection] = connections;
    if (!connection) throw new Error("no connection was made");
    Object.assign(connection, { connectionState: "connected", sctp });
    connection.localDescription = { type: "offer", sdp };
    connection.remoteDescription = { type: "answer", sdp: sdp.replaceAll("0A", "0b") };
    fire(connection, "connectionstatechange", {});
    await vi.waitFor(() => expect(events.length).toBeGreaterThan(3));
    return events[3];
  }

  it("tells the certificate that the other phone has shown", async () => {
    const shown = new TextEncoder().encode("abc").buffer;
    const event = await connected({ transport: { getRemoteCertificates: () => [shown] } });
    expect(event).toMatchObject({ kind: "secured", peer: "a", own });
    // FIPS 180-2, appendix B.1.
    expect(event?.kind === "secured" && event.theirs.slice(0, 4)).toEqual([0xba, 0x78, 0x16, 0xbf]);
  });

  it("takes it from the description where the browser does not tell", async () => {
    const theirs = Array.from({ length: 32 }, () => 11);
    expect(await connected({ transport: {} })).toEqual({ kind: "secured", peer: "a", own, theirs });
  });
});

describe("a connection that gets another way", () => {
  const named = (digits: string): string => `v=0\r\na=fingerprint:sha-256 ${digits}\r\n`;

  /** An open connection to a phone with the certificate 0A. */
  async function open(role: "offer" | "answer"): Promise<FakeConnection> {
    if (role === "offer") {
      await host.handle({ kind: "offer", peer: "a" });
      await host.handle({ kind: "accept", peer: "a", sdp: named("0A") });
    } else {
      await host.handle({ kind: "answer", peer: "a", sdp: named("0A") });
    }
    events.length = 0;
    return connections[0] as FakeConnection;
  }

  it("is offered one with the number, and takes the answer", async () => {
    const connection = await open("offer");
    await host.handle({ kind: "restart", peer: "a", number: 7 });
    expect(events).toEqual([
      { kind: "restart", peer: "a", number: 7, description: "offer", sdp: "our restart" },
    ]);
    await host.handle({ kind: "acceptRestart", peer: "a", number: 7, sdp: named("0a") });
    expect(connection.remoteDescription?.sdp).toBe(named("0a"));
    expect(connections).toHaveLength(1);
    expect(connection.calls).not.toContain("close");
  });

  it("is answered one by whoever takes the offer, after the servers of the day were named", async () => {
    const connection = await open("answer");
    await host.handle({ kind: "config", iceServers: [{ urls: "stun:a" }, { urls: "stun:b" }] });
    await host.handle({ kind: "answerRestart", peer: "a", number: 3, sdp: named("0A") });
    expect(events).toEqual([
      { kind: "restart", peer: "a", number: 3, description: "answer", sdp: "our answer" },
    ]);
    expect(connection.calls.slice(-2)).toEqual(["servers 2", "remote offer"]);
  });

  it.each([named("0B"), named("0A") + named("0B"), "v=0\r\n", ""])(
    "refuses other certificates and stays as it is: %j",
    async (sdp) => {
      const connection = await open("answer");
      await host.handle({ kind: "answerRestart", peer: "a", number: 1, sdp });
      expect(connection.remoteDescription?.sdp).toBe(named("0A"));
      await host.handle({ kind: "restart", peer: "a", number: 2 });
      await host.handle({ kind: "acceptRestart", peer: "a", number: 2, sdp });
      expect(connection.remoteDescription?.sdp).toBe(named("0A"));
      expect(events.map((event) => event.kind)).toEqual(["restart"]);
      expect(connection.calls).not.toContain("close");
    },
  );

  it("refuses an offer while its own is under way, and an answer to nothing", async () => {
    const connection = await open("offer");
    const before = connection.remoteDescription;
    await host.handle({ kind: "acceptRestart", peer: "a", number: 1, sdp: named("0A") });
    expect(connection.remoteDescription).toBe(before);
    await host.handle({ kind: "restart", peer: "a", number: 1 });
    await host.handle({ kind: "answerRestart", peer: "a", number: 1, sdp: named("0A") });
    expect(connection.remoteDescription).toBe(before);
    expect(events.filter((event) => event.kind === "restart")).toHaveLength(1);
  });

  it("is offered again where the answer was lost", async () => {
    const connection = await open("offer");
    await host.handle({ kind: "restart", peer: "a", number: 1 });
    await host.handle({ kind: "restart", peer: "a", number: 2 });
    expect(events.map((event) => event.kind === "restart" && event.number)).toEqual([1, 2]);
    await host.handle({ kind: "acceptRestart", peer: "a", number: 2, sdp: named("0A") });
    expect(connection.signalingState).toBe("stable");
  });

  it("is left alone where the phone is not known any more", async () => {
    await host.handle({ kind: "restart", peer: "nobody", number: 1 });
    await host.handle({ kind: "answerRestart", peer: "nobody", number: 1, sdp: named("0A") });
    expect(events).toEqual([]);
  });
});

describe("any phone", () => {
  it("passes its candidates on, but not the mark of their end", async () => {
    await host.handle({ kind: "offer", peer: "a" });
    fire(connections[0], "icecandidate", { candidate: { candidate: "c", sdpMid: "0", sdpMLineIndex: 0 } });
    fire(connections[0], "icecandidate", { candidate: { candidate: "", sdpMid: "0", sdpMLineIndex: 0 } });
    fire(connections[0], "icecandidate", { candidate: null });
    expect(events.filter((event) => event.kind === "candidate")).toEqual([
      { kind: "candidate", peer: "a", candidate: "c", mid: "0", line: 0 },
    ]);
  });

  it("keeps one phone's slow negotiation away from another's", async () => {
    await host.handle({ kind: "offer", peer: "slow" });
    const slow = connections[0];
    if (slow) slow.gate = new Promise(() => {});
    void host.handle({ kind: "accept", peer: "slow", sdp: "their answer" });
    await host.handle({ kind: "answer", peer: "quick", sdp: "their offer" });
    expect(events.at(-1)).toMatchObject({ kind: "description", peer: "quick" });
  });

  it("closes at once, even in the middle of a negotiation, and starts afresh", async () => {
    await host.handle({ kind: "offer", peer: "a" });
    const first = connections[0];
    let fail = (): void => {};
    if (first) first.gate = new Promise((_, reject) => (fail = () => reject(new Error("closed"))));
    const stuck = host.handle({ kind: "accept", peer: "a", sdp: "their answer" });
    await new Promise((resolve) => setTimeout(resolve));
    await host.handle({ kind: "close", peer: "a" });
    expect(first?.calls.at(-1)).toBe("close");
    await host.handle({ kind: "offer", peer: "a" });
    fail();
    await stuck;
    expect(connections[1]?.calls).not.toContain("close");
    expect(events.filter((event) => event.kind === "state")).toEqual([]);
  });

  it("ignores commands about a phone that it does not know", async () => {
    await host.handle({ kind: "accept", peer: "nobody", sdp: "x" });
    await host.handle({ kind: "close", peer: "nobody" });
    await candidate("nobody", "x");
    expect(events).toEqual([]);
  });

  it("shows the phone's own key on every link", async () => {
    const key = { expires: 0 } as RTCCertificate;
    const keyed = new RtcHost(
      () => {},
      (configuration) => {
        const connection = new FakeConnection(configuration);
        connections.push(connection);
        return connection as unknown as RTCPeerConnection;
      },
      async () => key,
    );
    await keyed.handle({ kind: "offer", peer: "a" });
    await keyed.handle({ kind: "answer", peer: "b", sdp: "their offer" });
    expect(connections.map(({ configuration }) => configuration.certificates)).toEqual([[key], [key]]);
  });

  it("falls back to a relaying port where the channel cannot be transferred", async () => {
    const relayed: RtcEvent[] = [];
    const refusing = new RtcHost(
      (event) => {
        if (event.kind === "channel" && !(event.channel instanceof MessagePort))
          throw new Error("no transfer");
        relayed.push(event);
      },
      (configuration) => new FakeConnection(configuration) as unknown as RTCPeerConnection,
    );
    await refusing.handle({ kind: "offer", peer: "a" });
    const [first] = relayed;
    expect(first?.kind === "channel" && first.channel instanceof MessagePort).toBe(true);
    if (first?.kind === "channel") first.channel.close();
  });
});
