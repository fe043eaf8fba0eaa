/** The phones whose rooms this one comes back to without scanning a code. */

import { SECRET } from "../../query.ts";
import { KeptList, type Keeper, type Known } from "./keeping.ts";

/** A phone that starts rooms, and lets this one in. */
export interface Host extends Known {
  device: string;
  /** The secret of its rooms, base64url. */
  secret: string;
}

const MOST_HOSTS = 16;

export class Hosts extends KeptList<Host> {
  constructor(keeper?: Keeper | null) {
    const isOne = ({ device, secret }: Host): boolean =>
      typeof device === "string" && typeof secret === "string" && SECRET.test(secret);
    super({ key: "lingualinked.hosts", most: MOST_HOSTS, isOne }, keeper);
  }

  /** Whose rooms have this secret. */
  of(secret: string): Host | undefined {
    return this.items.value.find((host) => host.secret === secret);
  }
}

/** `Anna’s phone`, `Hans’ phone`; the device where it has no other name. */
export function phoneOf({ name, device }: Pick<Host, "name" | "device">): string {
  if (name === device) return name;
  return `${name}${/[sxzß]$/i.test(name) ? "’" : "’s"} phone`;
}
