/** Whether browsers of this machine find each other by the multicast names that stand for their addresses. */

import type { Page } from "playwright-core";

import { launchBrowser } from "./chromium.ts";
import type { Phone } from "./phone.ts";
import { until, within } from "./waiting.ts";

const STEP_LIMIT_MS = 30_000;

/** Why they do not; null when they do. Any page of a server will do. */
export async function whyNoMulticast(url: string): Promise<string | null> {
  const browsers = await Promise.all([launchBrowser(), launchBrowser()]);
  try {
    const pages = await Promise.all(browsers.map((browser) => browser.newPage()));
    await Promise.all(pages.map((page) => page.goto(url, { timeout: STEP_LIMIT_MS })));
    const [one, other] = pages as [Page, Page];
    const offer = await within(STEP_LIMIT_MS, "an offer", one.evaluate(describeSelf, null));
    if (!offer.sdp?.includes(".local ")) return "the browser hides no address behind a multicast name";
    const answer = await within(STEP_LIMIT_MS, "an answer", other.evaluate(describeSelf, offer));
    await one.evaluate((heard) => window.connections[0]?.setRemoteDescription(heard), answer);
    const state = await until(STEP_LIMIT_MS, "a multicast name to be found", () => outcome(one));
    return state === "connected" ? null : "this machine does not carry multicast names";
  } finally {
    await Promise.all(browsers.map((browser) => browser.close()));
  }
}

/** Where a phone, whose links are watched, told the others that it can be found. */
export async function ownCandidates({ page }: Phone): Promise<string[]> {
  const sdp = await page.evaluate(() =>
    window.connections.map(({ localDescription }) => localDescription?.sdp ?? "").join(""),
  );
  return sdp.split("\r\n").filter((line) => line.startsWith("a=candidate:"));
}

async function outcome(page: Page): Promise<RTCPeerConnectionState | undefined> {
  const state = await page.evaluate(() => window.connections[0]?.connectionState);
  return state === "connected" || state === "failed" ? state : undefined;
}

/** Runs in the page: an offer, or the answer to one, with all its candidates. */
async function describeSelf(offer: RTCSessionDescriptionInit | null): Promise<RTCSessionDescriptionInit> {
  const connection = new RTCPeerConnection();
  window.connections = [connection];
  connection.createDataChannel("probe", { negotiated: true, id: 0 });
  if (offer) await connection.setRemoteDescription(offer);
  const gathered = new Promise<void>((resolve) => {
    connection.onicecandidate = ({ candidate }) => candidate ?? resolve();
  });
  await connection.setLocalDescription();
  await gathered;
  const { type, sdp } = connection.localDescription as RTCSessionDescription;
  return { type, sdp };
}
