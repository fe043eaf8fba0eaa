/** What crosses between the engine and the page's peer connections (see `messages.ts`). */

/** What the engine asks of the page's peer connections; `peer` is the other phone's id. */
export type RtcCommand =
  | { kind: "config"; iceServers: RTCIceServer[] }
  | { kind: "offer"; peer: string }
  /** A remote offer to answer. */
  | { kind: "answer"; peer: string; sdp: string }
  /** The remote answer to our offer. */
  | { kind: "accept"; peer: string; sdp: string }
  | { kind: "candidate"; peer: string; candidate: string; mid: string | null; line: number | null }
  /** Another way for an open connection, in the same three steps. What fails is given up without a word. */
  | { kind: "restart"; peer: string; number: number }
  | { kind: "answerRestart"; peer: string; number: number; sdp: string }
  | { kind: "acceptRestart"; peer: string; number: number; sdp: string }
  | { kind: "close"; peer: string };

/** What the page's peer connections tell the engine. */
export type RtcEvent =
  | { kind: "description"; peer: string; description: "offer" | "answer"; sdp: string }
  | { kind: "candidate"; peer: string; candidate: string; mid: string | null; line: number | null }
  /** Of the restart with this number. */
  | { kind: "restart"; peer: string; number: number; description: "offer" | "answer"; sdp: string }
  /**
   * The channel itself, transferred before its first use; it may not be open yet. Where the browser cannot transfer
   * one, a port that relays (see `relay.ts`): the same bytes, with small objects for signals between them.
   */
  | { kind: "channel"; peer: string; channel: RTCDataChannel | MessagePort }
  /** The connection is encrypted; SHA-256 of the certificates between which it is. */
  | { kind: "secured"; peer: string; own: number[]; theirs: number[] }
  | { kind: "state"; peer: string; state: RTCPeerConnectionState };
