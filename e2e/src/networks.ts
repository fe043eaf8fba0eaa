/**
 * Phones in networks of their own: namespaces of Linux behind one router, so that a test says who can reach whom, sees
 * how many bytes each phone sent, and lets a phone walk from one network into another. Root alone may make them.
 *
 *     const reason = whyNoNetworks();
 *     test.skip(reason !== null, reason ?? "");
 *     const networks = new Networks({ phones: 2, reach: "each-other" });   // or "server-alone"
 *     const server = await Server.start({ host: networks.server });        // this machine's address for the phones
 *     const program = networks.phone(0).wrap(settings().chromium);         // a browser that starts in there
 *     const phone = await launchChromium(name, { program, trustedOrigin: server.url });
 *     networks.phone(0).bytes();  networks.phone(0).move();  networks.block(0, 1);  networks.unblock(0, 1);
 *     networks.close();                                                    // after the phones
 *
 * `server` is this machine's own: whatever listens there (`0.0.0.0` counts) is what phones can always reach, in UDP too.
 * `trustedOrigin` makes the page count as secure, although it comes over plain HTTP from an address in a network.
 * Whatever a program that was killed has left is swept away by the next one that makes networks.
 */

import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";

export interface NetworksOptions {
  /** At most 14. */
  phones: number;
  /** Whether phones reach each other at first, or this machine alone. */
  reach: "each-other" | "server-alone";
}

/** Payload and headers, of all of a phone's interfaces so far. */
export interface Bytes {
  sent: number;
  received: number;
}

/** Why there can be none here; null where there can. */
export function whyNoNetworks(): string | null {
  if (process.platform !== "linux") return "networks of their own are namespaces of Linux";
  if (process.getuid?.() !== 0) return "only root can make networks of their own";
  const probe = `${PREFIX}${process.pid}-probe`;
  try {
    ip("netns", "add", probe);
    ip("-n", probe, "rule", "add", "from", "10.0.16.0/20", "to", "10.0.32.0/20", "blackhole");
    return null;
  } catch (cause) {
    return `this system makes no networks of their own: ${String(cause).split("\n")[0]}`;
  } finally {
    quietly("netns", "del", probe);
  }
}

/** A router, this machine behind it, and phones each in a network behind it. */
export class Networks {
  static #count = 0;
  /** This machine's address for the phones. */
  readonly server: string;
  readonly #name = `${PREFIX}${process.pid}-${(Networks.#count += 1)}`;
  readonly #router = `${this.#name}-router`;
  readonly #uplink = `ll${process.pid}u${Networks.#count}`;
  readonly #phones: PhoneNetwork[] = [];
  readonly #close = (): void => this.close();

  constructor({ phones, reach }: NetworksOptions) {
    if (phones > MOST_PHONES) throw new Error(`at most ${MOST_PHONES} phones have networks of their own`);
    sweep();
    process.once("exit", this.#close);
    try {
      const base = freeBase();
      this.server = `${base}.0.1`;
      this.#makeRouter(base);
      for (let index = 0; index < phones; index += 1) {
        this.#phones.push(new PhoneNetwork(`${this.#name}-phone${index}`, this.#router, base, index));
      }
      if (reach === "server-alone") this.#pairs().forEach(([one, other]) => this.block(one, other));
    } catch (cause) {
      this.close();
      throw cause;
    }
  }

  phone(index: number): PhoneNetwork {
    const found = this.#phones[index];
    if (!found) throw new Error(`there is no phone ${index}`);
    return found;
  }

  /** From now on the router drops without a word what these phones send each other. */
  block(one: number, other: number): void {
    this.#rule("add", one, other);
    this.#rule("add", other, one);
  }

  /** From now on it passes that on again. */
  unblock(one: number, other: number): void {
    this.#rule("del", one, other);
    this.#rule("del", other, one);
  }

  /** Ends everything; programs that still run in there are without a network. */
  close(): void {
    process.off("exit", this.#close);
    quietly("link", "del", this.#uplink);
    for (const phone of this.#phones) phone.close();
    quietly("netns", "del", this.#router);
  }

  #makeRouter(base: string): void {
    ip("netns", "add", this.#router);
    within(this.#router, "sysctl", "-qw", "net.ipv4.ip_forward=1");
    ip("-n", this.#router, "link", "set", "lo", "up");
    connect(this.#router, "uplink", `${base}.0.2/20`, null, this.#uplink, `${base}.0.1/20`);
    ip("route", "add", `${base}.0.0/16`, "via", `${base}.0.2`, "dev", this.#uplink);
  }

  #rule(change: "add" | "del", from: number, to: number): void {
    const [sender, receiver] = [this.phone(from).range, this.phone(to).range];
    ip("-n", this.#router, "rule", change, "from", sender, "to", receiver, "blackhole");
  }

  #pairs(): [number, number][] {
    const all = this.#phones.map((_, index) => index);
    return all.flatMap((one) => all.slice(one + 1).map((other): [number, number] => [one, other]));
  }
}

/** A phone's network: one interface at a time, and a route to everything over it. */
class PhoneNetwork {
  /** All addresses that it will ever have. */
  readonly range: string;
  #place = 0;
  readonly #past: Bytes = { sent: 0, received: 0 };
  readonly #scripts = mkdtempSync(join(tmpdir(), "lingualinked-network-"));

  constructor(
    readonly namespace: string,
    private readonly router: string,
    private readonly base: string,
    private readonly index: number,
  ) {
    this.range = `${base}.${this.#third(0)}.0/20`;
    ip("netns", "add", namespace);
    within(namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1");
    ip("-n", namespace, "link", "set", "lo", "up");
    this.#arrive();
  }

  get address(): string {
    return `${this.base}.${this.#third(this.#place)}.2`;
  }

  /** The interface that it has now. */
  get interface(): string {
    return `${this.#place % 2 === 0 ? "wlan" : "mobile"}${this.#place}`;
  }

  /** A program that is `program` in this network. */
  wrap(program: string): string {
    const script = join(this.#scripts, "run");
    writeFileSync(script, `#!/bin/sh\nexec ip netns exec '${this.namespace}' '${program}' "$@"\n`);
    chmodSync(script, 0o755);
    return script;
  }

  /** Takes the interface away, as where a network ends. */
  leave(): void {
    const { sent, received } = this.#counters();
    this.#past.sent += sent;
    this.#past.received += received;
    ip("-n", this.namespace, "link", "del", this.interface);
  }

  /** Into the next network: another interface with an address in another subnet. Returns the address. */
  move(): string {
    this.leave();
    return this.arrive();
  }

  /** After `leave`: the next network is there. Returns the address. */
  arrive(): string {
    if (this.#place === LAST_PLACE) throw new Error(`a phone can move ${LAST_PLACE} times`);
    this.#place += 1;
    this.#arrive();
    return this.address;
  }

  bytes(): Bytes {
    const { sent, received } = this.#counters();
    return { sent: sent + this.#past.sent, received: received + this.#past.received };
  }

  close(): void {
    quietly("netns", "del", this.namespace);
    rmSync(this.#scripts, { recursive: true, force: true });
  }

  #arrive(): void {
    const gateway = `${this.base}.${this.#third(this.#place)}.1`;
    const far = `p${this.index}n${this.#place}`;
    connect(this.namespace, this.interface, `${this.address}/24`, this.router, far, `${gateway}/24`);
    ip("-n", this.namespace, "route", "add", "default", "via", gateway);
  }

  #counters(): Bytes {
    const folder = `/sys/class/net/${this.interface}/statistics`;
    const files = [`${folder}/tx_bytes`, `${folder}/rx_bytes`];
    const [sent, received] = within(this.namespace, "cat", ...files)
      .split("\n")
      .map(Number);
    return { sent: sent ?? 0, received: received ?? 0 };
  }

  /** Of an address its third number: sixteen subnets for each phone, after sixteen for this machine and the router. */
  #third(place: number): number {
    return (this.index + 1) * 16 + place;
  }
}

export type { PhoneNetwork };

const PREFIX = "lingualinked-";
const MOST_PHONES = 14;
const LAST_PLACE = 15;

/** A cable from one namespace to another; null is this machine's own. */
function connect(
  near: string,
  nearName: string,
  nearAddress: string,
  far: string | null,
  farName: string,
  farAddress: string,
): void {
  const peer = ["name", farName, "netns", far ?? String(process.pid)];
  ip("-n", near, "link", "add", nearName, "type", "veth", "peer", ...peer);
  const ends: [string[], string, string][] = [
    [["-n", near], nearName, nearAddress],
    [far === null ? [] : ["-n", far], farName, farAddress],
  ];
  for (const [where, name, address] of ends) {
    ip(...where, "address", "add", address, "dev", name);
    ip(...where, "link", "set", name, "up");
  }
}

/** Networks of programs that are gone. */
function sweep(): void {
  const folder = "/var/run/netns";
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names.filter((one) => one.startsWith(PREFIX))) {
    const pid = Number.parseInt(name.slice(PREFIX.length), 10);
    // What is deleted takes its cables with it, and so this machine's end of them.
    if (!existsSync(`/proc/${pid}`)) quietly("netns", "del", name);
  }
}

/** The first two numbers of addresses that this machine does not use. */
function freeBase(): string {
  const used = Object.values(networkInterfaces()).flatMap((some) =>
    (some ?? []).map(({ address }) => address),
  );
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const base = `10.${100 + ((process.pid + attempt) % 100)}`;
    if (!used.some((address) => address.startsWith(`${base}.`))) return base;
  }
  throw new Error("this machine uses every network of the range 10.100.0.0 to 10.199.0.0");
}

function ip(...args: string[]): string {
  return run("ip", args);
}

function within(namespace: string, ...command: string[]): string {
  return run("ip", ["netns", "exec", namespace, ...command]);
}

/** What may fail because there is nothing left to do. */
function quietly(...args: string[]): void {
  try {
    ip(...args);
  } catch {
    // Gone already.
  }
}

function run(program: string, args: string[]): string {
  return execFileSync(program, args, {
    encoding: "utf8",
    timeout: 10_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
}
