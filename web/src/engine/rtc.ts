import type { RtcCommand, RtcEvent } from "./messages.ts";
import { relayPort } from "./relay.ts";

/** Name of the one data channel between two phones. */
export const CHANNEL_LABEL = "lingualinked";

/** Candidates kept while a remote description is on its way; more than any browser gathers. */
const EARLY_CANDIDATES = 64;

type SendEvent = (event: RtcEvent, transfer?: Transferable[]) => void;
type Connect = (configuration: RTCConfiguration) => RTCPeerConnection;

/** One other phone, as the page sees it. */
interface Seat {
  connection: RTCPeerConnection;
  /** Candidates that came before the remote description. */
  early: RTCIceCandidateInit[];
}

/**
 * Owns the peer connections, which a worker cannot make. It decides nothing: the engine sends commands, the host
 * carries them out and reports. One command per phone runs at a time, in order. A phone whose negotiation fails is
 * closed and reported as `failed`.
 */
export class RtcHost {
  readonly #seats = new Map<string, Seat>();
  readonly #queues = new Map<string, Promise<void>>();
  #iceServers: RTCIceServer[] = [];

  constructor(
    private readonly send: SendEvent,
    private readonly connect: Connect = (configuration) => new RTCPeerConnection(configuration),
  ) {}

  /** Settles when the command has been carried out or has failed; never rejects. */
  handle(command: RtcCommand): Promise<void> {
    if (command.kind === "config") {
      this.#iceServers = command.iceServers;
      return Promise.resolve();
    }
    const earlier = this.#queues.get(command.peer) ?? Promise.resolve();
    const run = earlier.then(() => this.#run(command)).catch(() => this.#fail(command.peer));
    this.#queues.set(command.peer, run);
    return run;
  }

  closeAll(): void {
    for (const peer of [...this.#seats.keys()]) this.#close(peer);
    this.#queues.clear();
  }

  async #run(command: Exclude<RtcCommand, { kind: "config" }>): Promise<void> {
    switch (command.kind) {
      case "offer":
        return this.#offer(command.peer);
      case "answer":
        return this.#answer(command.peer, command.sdp);
      case "accept":
        return this.#accept(command.peer, command.sdp);
      case "candidate": {
        const { candidate, mid, line } = command;
        return this.#addCandidate(command.peer, { candidate, sdpMid: mid, sdpMLineIndex: line });
      }
      case "close":
        return this.#close(command.peer);
    }
  }

  async #offer(peer: string): Promise<void> {
    const { connection } = this.#open(peer);
    this.#handOver(peer, connection.createDataChannel(CHANNEL_LABEL, { ordered: true }));
    await connection.setLocalDescription(await connection.createOffer());
    this.#describe(peer, "offer", connection);
  }

  async #answer(peer: string, sdp: string): Promise<void> {
    const seat = this.#open(peer);
    seat.connection.addEventListener("datachannel", ({ channel }) => {
      if (channel.label === CHANNEL_LABEL) this.#handOver(peer, channel);
      else channel.close();
    });
    await this.#setRemote(seat, { type: "offer", sdp });
    await seat.connection.setLocalDescription(await seat.connection.createAnswer());
    this.#describe(peer, "answer", seat.connection);
  }

  async #accept(peer: string, sdp: string): Promise<void> {
    const seat = this.#seats.get(peer);
    if (seat) await this.#setRemote(seat, { type: "answer", sdp });
  }

  async #setRemote(seat: Seat, description: RTCSessionDescriptionInit): Promise<void> {
    await seat.connection.setRemoteDescription(description);
    for (const candidate of seat.early.splice(0)) await tryCandidate(seat.connection, candidate);
  }

  async #addCandidate(peer: string, candidate: RTCIceCandidateInit): Promise<void> {
    const seat = this.#seats.get(peer);
    if (!seat) return;
    if (seat.connection.remoteDescription) await tryCandidate(seat.connection, candidate);
    else if (seat.early.length < EARLY_CANDIDATES) seat.early.push(candidate);
  }

  /** A fresh connection; one that was there for the same phone is closed. */
  #open(peer: string): Seat {
    this.#close(peer);
    const connection = this.connect({ iceServers: this.#iceServers });
    const seat: Seat = { connection, early: [] };
    this.#seats.set(peer, seat);
    connection.addEventListener("icecandidate", ({ candidate }) => {
      if (!candidate?.candidate || this.#seats.get(peer) !== seat) return;
      const { sdpMid: mid, sdpMLineIndex: line } = candidate;
      this.send({ kind: "candidate", peer, candidate: candidate.candidate, mid, line });
    });
    connection.addEventListener("connectionstatechange", () => {
      if (this.#seats.get(peer) === seat)
        this.send({ kind: "state", peer, state: connection.connectionState });
    });
    return seat;
  }

  /** Must run in the same turn in which the channel appeared: later, the browser refuses the transfer. */
  #handOver(peer: string, channel: RTCDataChannel): void {
    try {
      // The DOM's types do not list data channels as transferable yet.
      this.send({ kind: "channel", peer, channel }, [channel as unknown as Transferable]);
    } catch {
      const port = relayPort(channel);
      this.send({ kind: "channel", peer, channel: port }, [port]);
    }
  }

  #describe(peer: string, description: "offer" | "answer", connection: RTCPeerConnection): void {
    const sdp = connection.localDescription?.sdp;
    if (sdp && this.#seats.get(peer)?.connection === connection) {
      this.send({ kind: "description", peer, description, sdp });
    }
  }

  #close(peer: string): void {
    this.#seats.get(peer)?.connection.close();
    this.#seats.delete(peer);
  }

  #fail(peer: string): void {
    if (!this.#seats.has(peer)) return;
    this.#close(peer);
    this.send({ kind: "state", peer, state: "failed" });
  }
}

/** A candidate that the browser cannot use (an unknown kind, a stale one) is one path less, not a failure. */
async function tryCandidate(connection: RTCPeerConnection, candidate: RTCIceCandidateInit): Promise<void> {
  try {
    await connection.addIceCandidate(candidate);
  } catch (cause) {
    console.info("unused ICE candidate", cause);
  }
}
