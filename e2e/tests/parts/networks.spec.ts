import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";

import { expect, test } from "@playwright/test";

import { Networks, whyNoNetworks } from "../../src/networks.ts";

const ANSWER = "a".repeat(10_000);
const LIMIT_MS = 20_000;

let networks: Networks | undefined;

test.beforeEach(() => {
  const reason = whyNoNetworks();
  test.skip(reason !== null, reason ?? "");
});

test.afterEach(() => networks?.close());

test("phones reach each other and this machine, and every byte is counted", async () => {
  networks = new Networks({ phones: 2, reach: "each-other" });
  const site = await serve(networks.server);
  expect(await reaches(0, networks.phone(1).address)).toBe(true);
  const before = networks.phone(0).bytes();
  expect(await fetchFrom(0, site.url)).toBe(ANSWER.length);
  const { sent, received } = networks.phone(0).bytes();
  expect(received - before.received).toBeGreaterThan(ANSWER.length);
  expect(sent - before.sent).toBeGreaterThan(100);
  expect(sent - before.sent).toBeLessThan(ANSWER.length);
  site.server.close();
});

test("phones that reach this machine alone, until the router lets them", async () => {
  networks = new Networks({ phones: 3, reach: "server-alone" });
  const site = await serve(networks.server);
  expect(await fetchFrom(2, site.url)).toBe(ANSWER.length);
  expect(await reaches(0, networks.phone(1).address)).toBe(false);
  networks.unblock(0, 1);
  expect(await reaches(0, networks.phone(1).address)).toBe(true);
  expect(await reaches(0, networks.phone(2).address)).toBe(false);
  site.server.close();
});

test("a phone that moves has another address and is reached there, and what it sent before still counts", async () => {
  networks = new Networks({ phones: 2, reach: "each-other" });
  const [phone, other] = [networks.phone(0), networks.phone(1)];
  const site = await serve(networks.server);
  await fetchFrom(0, site.url);
  const [address, { received }] = [phone.address, phone.bytes()];
  expect(phone.move()).not.toBe(address);
  expect(await reaches(1, phone.address)).toBe(true);
  expect(await reaches(1, address)).toBe(false);
  expect(await reaches(0, other.address)).toBe(true);
  expect(phone.bytes().received).toBeGreaterThanOrEqual(received);
  networks.block(0, 1);
  expect(await reaches(1, phone.address)).toBe(false);
  site.server.close();
});

test("what a program that was killed has left is swept away", async () => {
  const file = new URL("../../src/networks.ts", import.meta.url).href;
  const script = `import("${file}").then(({ Networks }) => {
    new Networks({ phones: 1, reach: "each-other" });
    process.kill(process.pid, "SIGKILL");
  });`;
  const died = promisify(execFile)(process.execPath, ["--import", "tsx", "-e", script], {
    timeout: LIMIT_MS,
  });
  const { pid } = died.child;
  await expect(died).rejects.toMatchObject({ signal: "SIGKILL" });
  const left = (): string[] => readdirSync("/var/run/netns").filter((name) => name.includes(`-${pid}-`));
  expect(left()).toHaveLength(2);
  networks = new Networks({ phones: 1, reach: "each-other" });
  expect(left()).toEqual([]);
});

async function serve(host: string): Promise<{ url: string; server: HttpServer }> {
  const server = createServer((_, response) => response.end(ANSWER));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { url: `http://${host}:${(server.address() as AddressInfo).port}`, server };
}

/** How long the answer is that the phone gets. */
async function fetchFrom(phone: number, url: string): Promise<number> {
  return Number(
    await inside(
      phone,
      `fetch("${url}").then((a) => a.text()).then((t) => process.stdout.write(String(t.length)))`,
    ),
  );
}

/** Whether the other end refuses a connection, as it does where nobody listens, rather than saying nothing. */
async function reaches(phone: number, address: string): Promise<boolean> {
  const script = `
    const socket = require("node:net").connect({ host: "${address}", port: 9, timeout: 2000 });
    socket.on("error", (cause) => process.stdout.write(String(cause.code === "ECONNREFUSED")));
    socket.on("timeout", () => { process.stdout.write("false"); socket.destroy(); });`;
  return (await inside(phone, script)).trim() === "true";
}

/** What a script prints that runs in the phone's network. */
async function inside(phone: number, script: string): Promise<string> {
  const program = networks!.phone(phone).wrap(process.execPath);
  return (await promisify(execFile)(program, ["-e", script], { timeout: LIMIT_MS })).stdout;
}
