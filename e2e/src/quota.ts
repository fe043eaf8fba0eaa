/** Slow phones: a share of a processor for a browser and all its processes, through a control group of Linux. */

import { execFile } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";

/**
 * A phone's steps are short bursts. In the usual period of 100 ms a burst would find its whole quota unused and not be
 * slowed at all.
 */
const PERIOD_US = 5000;
const GROUPS_V1 = "/sys/fs/cgroup/cpu";
const GROUPS_V2 = "/sys/fs/cgroup";

/** Why nothing can be slowed here; null where it can. */
export function whyNoQuotas(): string | null {
  if (process.platform !== "linux") return "processors are shared out by control groups of Linux";
  const folder = groupsFolder();
  if (folder === null) return "this system has no control groups for processors";
  try {
    accessSync(folder, constants.W_OK);
    return null;
  } catch {
    return `${folder} is not writable: only root can share out processors`;
  }
}

/** So much of one processor, until it is closed. */
export class Quota {
  readonly group: string;
  readonly #scripts = mkdtempSync(join(tmpdir(), "lingualinked-quota-"));

  constructor(share: number) {
    const folder = groupsFolder();
    if (folder === null) throw new Error(whyNoQuotas() ?? "there are no control groups");
    this.group = join(folder, `lingualinked-${process.pid}-${(Quota.#count += 1)}`);
    mkdirSync(this.group);
    this.set(share);
  }

  /** From now on so much. */
  set(share: number): void {
    const quotaUs = Math.round(share * PERIOD_US);
    const write = (file: string, value: number | string): void =>
      writeFileSync(join(this.group, file), String(value));
    if (groupsFolder() === GROUPS_V1) {
      write("cpu.cfs_period_us", PERIOD_US);
      write("cpu.cfs_quota_us", quotaUs);
    } else {
      write("cpu.max", `${quotaUs} ${PERIOD_US}`);
    }
  }

  /** A program that is `program` with this quota. */
  wrap(program: string): string {
    const script = join(this.#scripts, "run");
    const procs = join(this.group, "cgroup.procs");
    writeFileSync(script, `#!/bin/sh\necho $$ > '${procs}' && exec '${program}' "$@"\n`);
    chmodSync(script, 0o755);
    return script;
  }

  /** Waits until all its programs have ended; a group that outlives them for long is left to its owner. */
  async close(): Promise<void> {
    rmSync(this.#scripts, { recursive: true, force: true });
    for (let attempt = 0; attempt < 50 && existsSync(this.group); attempt += 1) {
      try {
        rmdirSync(this.group);
      } catch {
        await setTimeout(100);
      }
    }
  }

  static #count = 0;
}

/**
 * How much slower short bursts of work with pauses between them are with a quota than without: what a phone's steps are
 * in a room.
 */
export async function slowdown(share: number): Promise<number> {
  const quota = new Quota(share);
  try {
    const free = await burstMillis(process.execPath);
    return (await burstMillis(quota.wrap(process.execPath))) / free;
  } finally {
    await quota.close();
  }
}

async function burstMillis(program: string): Promise<number> {
  const { stdout } = await promisify(execFile)(program, ["-e", BURSTS], { timeout: 60_000 });
  return Number(stdout);
}

/** The median of 40 bursts of the same work, each after 40 ms of nothing. */
const BURSTS = `
  const work = () => { let x = 0; for (let i = 0; i < 6e5; i += 1) x = (x + i * i) % 1000003; return x; };
  for (let i = 0; i < 20; i += 1) work();
  const times = [];
  const next = () => {
    const before = performance.now();
    work();
    times.push(performance.now() - before);
    if (times.length < 40) setTimeout(next, 40);
    else console.log(times.sort((a, b) => a - b)[20]);
  };
  setTimeout(next, 40);
`;

function groupsFolder(): string | null {
  if (existsSync(join(GROUPS_V1, "cpu.cfs_quota_us")) || existsSync(join(GROUPS_V1, "cpu.cfs_period_us")))
    return GROUPS_V1;
  const controllers = join(GROUPS_V2, "cgroup.subtree_control");
  const isShared = existsSync(controllers) && readFileSync(controllers, "utf8").split(/\s/).includes("cpu");
  return isShared ? GROUPS_V2 : null;
}
