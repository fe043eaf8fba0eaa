import { ownCertificate, remoteCertificate } from "./certificates.ts";
import { deviceKey } from "./key.ts";
import type { RtcCommand, RtcEvent } from "./messages.ts";
import { relayPort } from "./relay.ts";
import { acceptRestart, answerRestart, offerRestart } from "./restart.ts";

/** Name of the one data channel between two phones. */
export const CHANNEL_LABEL = "lingualinked";

/**
 * Both sides make the channel themselves, before they negotiate: so the engine listens on it before the other phone can
 * send. On a channel that arrives by a `datachannel` event, what comes before the transfer is done is lost.
 */
const CHANNEL: RTCDataChannelInit = { ordered: true, negotiated: true, id: 0 };

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
 * carries them out and reports. Commands for one phone run one after the other, except `close`, which waits for
 * nothing. A phone whose negotiation fails is closed and reported as `failed`.
 */
export class RtcHost {
  readonly #seats = new Map<string, Seat>();
  readonly #queues = new Map<string, Promise<void>>();
  #iceServers: RTCIceServer[] = [];

  constructor(
    private readonly send: SendEvent,
    private readonly connect: Connect = (configuration) => new RTCPeerConnection(configuration),
    private readonly key: () => Promise<RTCCertificate | null> = deviceKey,
  ) {}

  /** Settles when the command has been carried out or has failed; never rejects. */
  async handle(command: RtcCommand): Promise<void> {
    switch (command.kind) {
      case "config":
        this.#iceServers = command.iceServers;
        return;
      case "close":
        return this.#close(command.peer);
      case "offer":
        return this.#queue(command.peer, () => this.#offer(command.peer));
      case "answer":
        return this.#queue(command.peer, () => this.#answer(command.peer, command.sdp));
      case "accept":
        return this.#queue(command.peer, () => this.#accept(command.peer, command.sdp));
      case "candidate": {
        const { peer, candidate, mid, line } = command;
        return this.#queue(peer, () =>
          this.#addCandidate(peer, { candidate, sdpMid: mid, sdpMLineIndex: line }),
        );
      }
      case "restart":
        return this.#restart(command, "offer", (connection) => offerRestart(connection));
      case "answerRestart":
        return this.#restart(command, "answer", (connection) => answerRestart(connection, command.sdp));
      case "acceptRestart":
        return this.#restart(command, null, (connection) => acceptRestart(connection, command.sdp));
    }
  }

  closeAll(): void {
    for (const peer of [...this.#seats.keys()]) this.#close(peer);
  }

  #queue(peer: string, work: () => Promise<void>): Promise<void> {
    const run = (this.#queues.get(peer) ?? Promise.resolve()).then(work);
    this.#queues.set(peer, run);
    return run;
  }

  #offer(peer: string): Promise<void> {
    return this.#openAnd(peer, async (seat) => {
      const { connection } = seat;
      this.#handOver(peer, connection.createDataChannel(CHANNEL_LABEL, CHANNEL));
      await connection.setLocalDescription(await connection.createOffer());
      this.#describe(peer, "offer", seat);
    });
  }

  #answer(peer: string, sdp: string): Promise<void> {
    return this.#openAnd(peer, async (seat) => {
      const { connection } = seat;
      this.#handOver(peer, connection.createDataChannel(CHANNEL_LABEL, CHANNEL));
      await this.#setRemote(seat, { type: "offer", sdp });
      await connection.setLocalDescription(await connection.createAnswer());
      this.#describe(peer, "answer", seat);
    });
  }

  async #accept(peer: string, sdp: string): Promise<void> {
    const seat = this.#seats.get(peer);
    if (seat) await this.#negotiate(peer, seat, () => this.#setRemote(seat, { type: "answer", sdp }));
  }

  /** A step of a restart, and what the other phone is told of it. One that fails leaves the connection as it is. */
  #restart(
    { peer, number }: { peer: string; number: number },
    description: "offer" | "answer" | null,
    step: (connection: RTCPeerConnection) => Promise<void>,
  ): Promise<void> {
    return this.#queue(peer, async () => {
      const seat = this.#seats.get(peer);
      if (!seat) return;
      try {
        seat.connection.setConfiguration({
          ...seat.connection.getConfiguration(),
          iceServers: this.#iceServers,
        });
        await step(seat.connection);
      } catch (cause) {
        return console.warn("a restart was given up", cause);
      }
      const sdp = seat.connection.localDescription?.sdp;
      if (description && sdp && this.#seats.get(peer) === seat)
        this.send({ kind: "restart", peer, number, description, sdp });
    });
  }

  /** A fresh connection and a first step with it; either may fail, a connection where its servers' addresses are wrong. */
  async #openAnd(peer: string, step: (seat: Seat) => Promise<void>): Promise<void> {
    let seat: Seat;
    try {
      seat = this.#open(peer, await this.key());
    } catch (cause) {
      console.warn("a connection could not be made", cause);
      this.send({ kind: "state", peer, state: "failed" });
      return;
    }
    await this.#negotiate(peer, seat, step);
  }

  /** Runs a step whose failure is the phone's, unless the phone has a newer connection by then. */
  async #negotiate(peer: string, seat: Seat, step: (seat: Seat) => Promise<void>): Promise<void> {
    try {
      await step(seat);
    } catch (cause) {
      if (this.#seats.get(peer) !== seat) return;
      console.warn("a negotiation failed", cause);
      this.#close(peer);
      this.send({ kind: "state", peer, state: "failed" });
    }
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
  #open(peer: string, key: RTCCertificate | null): Seat {
    this.#seats.get(peer)?.connection.close();
    const certificates = key ? { certificates: [key] } : {};
    const connection = this.connect({ iceServers: this.#iceServers, ...certificates });
    const seat: Seat = { connection, early: [] };
    this.#seats.set(peer, seat);
    connection.addEventListener("icecandidate", ({ candidate }) => {
      if (!candidate?.candidate || this.#seats.get(peer) !== seat) return;
      const { sdpMid: mid, sdpMLineIndex: line } = candidate;
      this.send({ kind: "candidate", peer, candidate: candidate.candidate, mid, line });
    });
    connection.addEventListener("connectionstatechange", () => {
      if (this.#seats.get(peer) !== seat) return;
      this.send({ kind: "state", peer, state: connection.connectionState });
      if (connection.connectionState === "connected") void this.#secure(peer, seat);
    });
    return seat;
  }

  /** Tells between which certificates the connection is encrypted, so that both ends can prove who they are. */
  #secure(peer: string, seat: Seat): Promise<void> {
    return this.#negotiate(peer, seat, async ({ connection }) => {
      const own = ownCertificate(connection);
      const theirs = await remoteCertificate(connection);
      if (this.#seats.get(peer) === seat) this.send({ kind: "secured", peer, own, theirs });
    });
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

  #describe(peer: string, description: "offer" | "answer", seat: Seat): void {
    const sdp = seat.connection.localDescription?.sdp;
    if (sdp && this.#seats.get(peer) === seat) this.send({ kind: "description", peer, description, sdp });
  }

  #close(peer: string): void {
    this.#seats.get(peer)?.connection.close();
    this.#seats.delete(peer);
    this.#queues.delete(peer);
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
