/** Which way a phone's links take: from its own address (`host`, `srflx`, `prflx`) or through TURN (`relay`). */

import type { Phone } from "./phone.ts";

/** One word for each open link; `watchLinks` must have been called before the page. */
export function routes(phone: Phone): Promise<string[]> {
  return phone.page.evaluate(routesHere);
}

/** Runs in the page. */
async function routesHere(): Promise<string[]> {
  const found: string[] = [];
  for (const connection of window.connections) {
    if (connection.connectionState !== "connected") continue;
    const report = await connection.getStats();
    let local = "none";
    report.forEach((entry: { type: string; selectedCandidatePairId?: string }) => {
      if (entry.type !== "transport" || !entry.selectedCandidatePairId) return;
      const pair = report.get(entry.selectedCandidatePairId) as { localCandidateId: string } | undefined;
      const candidate = pair && (report.get(pair.localCandidateId) as { candidateType: string } | undefined);
      local = candidate?.candidateType ?? local;
    });
    found.push(local);
  }
  return found;
}
