/** Between which certificates a connection is encrypted: SHA-256 of each, as bytes. */

/** Of a key that no connection uses yet, as the browser tells it or an offer with it names it. */
export async function certificateOf(key: RTCCertificate): Promise<number[]> {
  const told = key.getFingerprints?.().find(({ algorithm }) => algorithm?.toLowerCase() === "sha-256")?.value;
  if (told) return fingerprint({ sdp: `a=fingerprint:sha-256 ${told}` });
  const connection = new RTCPeerConnection({ certificates: [key] });
  try {
    connection.createDataChannel("");
    return fingerprint(await connection.createOffer());
  } finally {
    connection.close();
  }
}

/** Ours, as our description names it. */
export function ownCertificate({ localDescription }: RTCPeerConnection): number[] {
  return fingerprint(localDescription);
}

/** The other phone's, as DTLS has shown it; from its description where a browser does not tell, having compared them. */
export async function remoteCertificate(connection: RTCPeerConnection): Promise<number[]> {
  const [certificate] = connection.sctp?.transport.getRemoteCertificates?.() ?? [];
  if (!certificate) return fingerprint(connection.remoteDescription);
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", certificate))];
}

/** All fingerprints of a description, each once, so that two descriptions can be compared. */
export function namedCertificates(sdp: string): string {
  const lines = sdp.split(/\r?\n/).filter((line) => /^a=fingerprint:/i.test(line));
  return [...new Set(lines.map((line) => line.trim().toLowerCase()))].sort().join("\n");
}

/** RFC 8122: `a=fingerprint:sha-256 AB:CD:..`. */
function fingerprint(description: { sdp?: string } | null): number[] {
  const [, digits] =
    /^a=fingerprint:sha-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})\r?$/im.exec(description?.sdp ?? "") ?? [];
  if (!digits) throw new Error("a description without the fingerprint of a certificate");
  return digits.split(":").map((byte) => parseInt(byte, 16));
}
