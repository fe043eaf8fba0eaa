/** The part of the messages that is about who may come into a room. */

/** By what a phone is known again: SHA-256 of the certificate of its links, 64 hex digits. */
export type Identity = string;

/** A phone that starts rooms, and lets this one in without asking. */
export interface RememberedBy {
  identity: Identity;
  name: string;
  device: string;
  /** Of its rooms to come, base64url. */
  secret: string;
}

/** Who may come in, or how this phone does. */
export interface DoorConfig {
  /** Coordinator: everybody comes in without asking. */
  admitsAll: boolean;
  /** Coordinator: nobody else may come in. */
  locked: boolean;
  /** Coordinator: who comes in without asking, also where the room is locked. */
  trusted: Identity[];
  /** Coordinator: what its invitations are made with, 32 bytes in base64url; null makes some that bring nothing. */
  ticketKey: string | null;
  /** Coordinator: tells this time that the room is open from others, 32 bytes in base64url. */
  opening: string | null;
  /** Coordinator: for how long the first invitation is good; null is as long as the room is open. */
  lifeSecs: number | null;
  /** Coordinator: the secret of its rooms to come, for phones that are trusted; null where there are none. */
  nextSecret: string | null;
  /** Coordinator that starts the room again: whom it had let in, as `DoorView.admitted` told. */
  admitted: Identity[];
  /** Elsewhere: the coordinator that is expected; another phone that says it is it is refused. Null follows any. */
  coordinator: Identity | null;
}

/** The door, where it is kept. */
export interface DoorView {
  locked: boolean;
  admitsAll: boolean;
  /** Whom a person is asked about, in the order in which they came; at most 4. */
  askers: AskerView[];
  /** Everybody who was let in, also those that are not here now; at most 32. */
  admitted: Identity[];
}

/** The phone at the other end of a link that waits for a person. */
export interface AskerView {
  id: string;
  name: string;
  device: string;
  identity: Identity;
  /** Four emoji, with names for screen readers: the same on both screens where nobody is between the two phones. */
  pictures: { symbol: string; name: string }[];
}
