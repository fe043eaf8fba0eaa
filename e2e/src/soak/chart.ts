/** Lines over time, as an SVG drawing. */

export interface Line {
  name: string;
  /** Seconds and values, by time. */
  points: (readonly [number, number])[];
  isThick?: boolean;
}

export interface Panel {
  title: string;
  unit: string;
  lines: Line[];
}

export interface Mark {
  at_secs: number;
  name: string;
}

/** Panels below each other, of the same time; marks go through all. */
export function chart(title: string, panels: Panel[], marks: Mark[] = []): string {
  const ends = panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(([secs]) => secs)));
  const end = Math.max(1, ...ends, ...marks.map(({ at_secs }) => at_secs));
  const height = HEAD + panels.length * (PANEL + GAP);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    words(LEFT, 20, title, "#000"),
    ...marks.map((mark) => drawMark(mark, end, height)),
    ...panels.flatMap((panel, at) => drawPanel(panel, HEAD + at * (PANEL + GAP), end)),
    "</svg>\n",
  ].join("\n");
}

function drawPanel({ title, unit, lines }: Panel, top: number, end: number): string[] {
  const most = Math.max(1e-9, ...lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const y = (value: number): number => top + PANEL * (1 - value / (1.1 * most));
  const levels = [0, 0.25, 0.5, 0.75, 1].map((share) => share * most);
  return [
    words(LEFT, top - 6, title, "#000"),
    ...levels.map((level) => `<path stroke="#ddd" d="M${LEFT} ${y(level).toFixed(1)}H${WIDTH - RIGHT}"/>`),
    ...levels.map((level) => words(4, y(level) + 4, `${level.toPrecision(3)} ${unit}`, "#444")),
    ...[0, 0.25, 0.5, 0.75, 1].map((share) =>
      words(x(share * end, end) - 10, top + PANEL + 14, `${((share * end) / 60).toFixed(1)} min`, "#444"),
    ),
    ...lines.flatMap((line, at) => drawLine(line, at, top, end, y)),
  ];
}

function drawLine(
  { name, points, isThick }: Line,
  at: number,
  top: number,
  end: number,
  y: (value: number) => number,
): string[] {
  const colour = COLOURS[at % COLOURS.length] as string;
  const path = points.map(([secs, value]) => `${x(secs, end).toFixed(1)} ${y(value).toFixed(1)}`);
  const width = isThick ? 2.5 : 1.2;
  return [
    `<path fill="none" stroke="${colour}" stroke-width="${width}" d="M${path.join("L")}"/>`,
    // Further names have no room.
    ...(at < MOST_NAMES ? [words(WIDTH - RIGHT + 8, top + 12 + 14 * at, name, colour)] : []),
  ];
}

function drawMark({ at_secs, name }: Mark, end: number, height: number): string {
  const place = x(at_secs, end).toFixed(1);
  const line = `<path stroke="#bbb" stroke-dasharray="2 3" d="M${place} ${HEAD - 8}V${height - GAP}"/>`;
  return `${line}<text x="${place}" y="${HEAD - 24}" fill="#888" font-size="8">${escaped(name)}</text>`;
}

function x(secs: number, end: number): number {
  return LEFT + (WIDTH - LEFT - RIGHT) * (secs / end);
}

function words(left: number, base: number, text: string, colour: string): string {
  return `<text x="${left.toFixed(1)}" y="${base.toFixed(1)}" fill="${colour}">${escaped(text)}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

const WIDTH = 1200;
const LEFT = 80;
const RIGHT = 180;
const HEAD = 64;
const PANEL = 240;
const GAP = 48;
const MOST_NAMES = 16;
const COLOURS = ["#2a7ab8", "#f0a030", "#1f7a3f", "#b82a2a", "#7a4fb8", "#888", "#c2185b", "#00838f"];
