/** What a model that tells texts apart says of one. */

import type { AnswerStats } from "../../engine/messages.ts";

export interface LabelShare {
  name: string;
  /** How likely it is, 0 to 1. */
  share: number;
  /** That in words. */
  words: string;
}

/** Likeliest first; of many labels only those that the answer came with, and none where it has none. */
export function labelShares(labels: string[], stats: AnswerStats): LabelShare[] {
  if (labels.length === 0) return [];
  const alternatives = stats.logprobs[0]?.alternatives ?? [];
  return alternatives.map(({ token, logprob }) => {
    const share = Math.exp(logprob);
    return { name: labels[token] ?? `label ${token}`, share, words: shareWords(share) };
  });
}

/** How many labels an answer did not come with, in words; empty where it came with all. */
export function otherLabels(labels: string[], shares: LabelShare[]): string {
  const others = labels.length - shares.length;
  if (others <= 0 || shares.length === 0) return "";
  return others === 1 ? "and one that is less likely" : `and ${others} that are less likely`;
}

/** A share is never said to be all or nothing unless it is. */
function shareWords(share: number): string {
  const hundredths = Math.round(100 * share);
  if (hundredths === 0 && share > 0) return "under 1 %";
  if (hundredths === 100 && share < 1) return "over 99 %";
  return `${hundredths} %`;
}
