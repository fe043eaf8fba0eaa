/** A half-open range of bytes. */
export interface Span {
  start: number;
  end: number;
}

/** The same bytes as few, sorted spans that do not touch. Gaps of at most `slack` bytes are closed. */
export function merge(spans: Span[], slack = 0): Span[] {
  const sorted = spans.filter(({ start, end }) => start < end).sort((a, b) => a.start - b.start);
  const merged: Span[] = [];
  for (const { start, end } of sorted) {
    const last = merged.at(-1);
    if (last && start <= last.end + slack) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

/** The parts of `spans` that no part of `allowed` covers. */
export function outside(spans: Span[], allowed: Span[]): Span[] {
  const cover = merge(allowed);
  return merge(spans).flatMap((span) => {
    const rest: Span[] = [];
    let at = span.start;
    for (const { start, end } of cover) {
      if (end <= at || start >= span.end) continue;
      if (start > at) rest.push({ start: at, end: start });
      at = Math.max(at, end);
    }
    if (at < span.end) rest.push({ start: at, end: span.end });
    return rest;
  });
}

export function bytesIn(spans: Span[]): number {
  return merge(spans).reduce((sum, { start, end }) => sum + end - start, 0);
}
