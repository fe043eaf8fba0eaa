import { encode } from "uqr";

/** A QR code as one SVG path in a square of `size` units, one unit a module. */
export interface QrPath {
  size: number;
  path: string;
}

/** The light frame that readers need around the code, in modules. */
const QUIET_ZONE = 4;

export function qrCode(text: string): QrPath {
  const { size, data } = encode(text, { ecc: "M", border: QUIET_ZONE });
  return { size, path: data.map(rowPath).join("") };
}

/** One rectangle for every run of dark modules. */
function rowPath(row: boolean[], y: number): string {
  let path = "";
  for (let x = 0; x < row.length;) {
    let end = x;
    while (row[end]) end += 1;
    if (end > x) path += `M${x} ${y}h${end - x}v1h${x - end}z`;
    x = Math.max(end, x + 1);
  }
  return path;
}
