/**
 * Another way for an open connection (an ICE restart): new credentials and candidates, and everything else stays, the
 * certificates among it. Each step fails, and changes nothing, where it is not its turn or another certificate is named.
 */

import { namedCertificates } from "./certificates.ts";

/** The description to offer. An offer that was not answered yet is replaced. */
export async function offerRestart(connection: RTCPeerConnection): Promise<void> {
  const { signalingState } = connection;
  if (signalingState !== "stable" && signalingState !== "have-local-offer") throw outOfTurn(signalingState);
  await connection.setLocalDescription(await connection.createOffer({ iceRestart: true }));
}

/** Takes the other phone's offer, and answers it. */
export async function answerRestart(connection: RTCPeerConnection, sdp: string): Promise<void> {
  if (connection.signalingState !== "stable") throw outOfTurn(connection.signalingState);
  mustNameTheSameCertificates(connection, sdp);
  await connection.setRemoteDescription({ type: "offer", sdp });
  await connection.setLocalDescription(await connection.createAnswer());
}

/** Takes the other phone's answer. */
export async function acceptRestart(connection: RTCPeerConnection, sdp: string): Promise<void> {
  if (connection.signalingState !== "have-local-offer") throw outOfTurn(connection.signalingState);
  mustNameTheSameCertificates(connection, sdp);
  await connection.setRemoteDescription({ type: "answer", sdp });
}

/** What the two phones proved to each other is about these certificates. */
function mustNameTheSameCertificates({ remoteDescription }: RTCPeerConnection, sdp: string): void {
  const known = namedCertificates(remoteDescription?.sdp ?? "");
  if (known === "" || namedCertificates(sdp) !== known)
    throw new Error("a restart that names another certificate");
}

function outOfTurn(state: RTCSignalingState): Error {
  return new Error(`a restart out of turn: the connection is ${state}`);
}
