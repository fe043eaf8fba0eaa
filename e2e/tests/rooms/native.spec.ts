import { createHash } from "node:crypto";

import { Computer, type JoinOptions } from "../../src/computer.ts";
import { bundled } from "../../src/golden.ts";
import { ownCandidates, whyNoMulticast } from "../../src/multicast.ts";
import { Networks, whyNoNetworks } from "../../src/networks.ts";
import type { Phone } from "../../src/phone.ts";
import { prepare } from "../../src/room.ts";
import { Server } from "../../src/server.ts";
import { settings } from "../../src/settings.ts";
import { isWholeModel } from "../../src/stages.ts";
import { expect, test as base } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const STEP_LIMIT_MS = 60_000;
const BEGIN_LIMIT_MS = 300_000;
const STALL_LIMIT_MS = 120_000;

interface Fixtures {
  /** Computers that end with the test, whatever state they are in. */
  join: (link: string, options: JoinOptions) => Computer;
}

const test = base.extend<Fixtures>({
  join: async ({}, use, testInfo) => {
    const computers: Computer[] = [];
    await use((link, options) => {
      const computer = new Computer(link, options);
      computers.push(computer);
      return computer;
    });
    for (const [at, computer] of computers.entries()) {
      await computer.kill();
      if (testInfo.status !== testInfo.expectedStatus)
        await testInfo.attach(`computer ${at}`, { body: computer.lines.join("\n") });
    }
  },
});

test("a computer is told the link by its standard input, runs a part, and may be lost or leave", async ({
  server,
  launch,
  join,
}) => {
  const model = bundled();
  const golden = model.golden(PROMPT);
  const [phone] = (await launch(1, server)) as [Phone];
  // It has room for two thirds of the model: without another there is no plan.
  const query = { model: model.url, pledge: "share:1.3:2", temperature: 0, tokens: golden.tokens.length };
  const link = await phone.start(server.url, { ...query, wire: "f32", balance: "off", name: phone.name });

  const first = join(link, { name: "Desk" });
  await first.says(/^in the room/, STEP_LIMIT_MS);
  await phone.meet(2);
  await expect.poll(() => first.lines).toContain(`+ ${phone.name}`);

  await test.step("both have a part, and the answer is the reference's", async () => {
    const room = await prepare([phone]);
    expect(isWholeModel(room)).toBe(true);
    expect(new Set(room.plan?.stages.map(({ peer }) => peer)).size).toBe(2);
    expect(room.peers.map(({ name }) => name).sort()).toEqual(["Desk", phone.name].sort());
    await first.says(/^this computer runs modules \d+ to \d+ of \d+ /, STEP_LIMIT_MS);
    await first.says(/^ready/, STEP_LIMIT_MS);
    const turn = await phone.answer(await phone.type(PROMPT), STALL_LIMIT_MS);
    expect(turn.stats.tokens).toEqual(golden.tokens);
    expect(turn.text).toBe(golden.text);
  });

  await test.step("it is lost in the midst of an answer, which goes on with another", async () => {
    const ask = await phone.type(PROMPT);
    await phone.midst(ask, 10);
    await first.kill();
    const second = join(link, { name: "Lap" });
    const turn = await phone.answer(ask, BEGIN_LIMIT_MS);
    expect(turn.stats.tokens).toEqual(golden.tokens);
    await second.says(/^ready/, STEP_LIMIT_MS);

    await test.step("and that leaves when it is asked to", async () => {
      expect(await second.leave()).toBe(0);
      expect(second.lines.at(-1)).toBe("left the room");
      const links = async (): Promise<string[]> =>
        (await phone.room()).peers.filter(({ name }) => name === "Lap").map(({ link }) => link);
      await expect.poll(links).toEqual(["lost"]);
    });
  });
});

test("a computer trusts the authority that it is told of, and no other", async ({ launch, join }) => {
  const server = await Server.start({ hasTls: true });
  try {
    const [phone] = (await launch(1, server, { trustsServer: true })) as [Phone];
    const link = await phone.start(server.url, { model: bundled().url, name: phone.name });
    const plain = server.url.replace("https:", "http:");
    const authority = Buffer.from(await (await fetch(`${plain}/lingualinked.crt`)).arrayBuffer());
    const fingerprint = createHash("sha256").update(authority).digest("hex");

    const trusting = join(link, { name: "Desk", trust: fingerprint });
    await trusting.says(/^in the room/, STEP_LIMIT_MS);
    const another = join(link, { name: "Lap", trust: fingerprint.replace(/^../, (byte) => flipped(byte)) });
    expect(await another.end()).not.toBe(0);
    expect(another.lines.join("\n")).toContain("another authority");
    const trustful = join(link, { name: "Lap" });
    expect(await trustful.end()).not.toBe(0);
    expect(await trusting.leave()).toBe(0);
  } finally {
    await server.stop();
  }
});

test("a person lets a computer in by pictures that both show, and may take it out", async ({
  server,
  launch,
  join,
}) => {
  const [phone] = (await launch(1, server)) as [Phone];
  const link = await phone.start(server.url, { admit: "ask", model: bundled().url, name: phone.name });
  const turnedAway = join(link, { name: "Lap" });
  await phone.asked("Lap");
  await phone.page.getByTestId("turn-away").click();
  expect(await turnedAway.end()).toBe(1);
  expect(turnedAway.lines.join("\n")).toContain("did not let this phone in");

  const desk = join(link, { name: "Desk" });
  await desk.says(/^waiting for /, STEP_LIMIT_MS);
  const line = await desk.says(/^both screens should show: /, STEP_LIMIT_MS);
  await phone.asked("Desk");
  const [asker] = (await phone.room()).door?.askers ?? [];
  expect(line).toContain(asker?.pictures.map(({ name }) => name).join(", ") ?? "no pictures");
  await phone.letIn();
  await desk.says(/^in the room/, STEP_LIMIT_MS);
  await phone.meet(2);
  expect(await desk.leave()).toBe(0);
});

test("a computer that is not let in says why", async ({ server, join }) => {
  // It ends while it opens the GPU, which is not to make a crash of it: one of ten was.
  for (let time = 0; time < 20; time += 1) {
    const nobody = join(`${server.url}/#${"A".repeat(43)}`, { name: "Desk" });
    expect(await nobody.end(), nobody.lines.join("\n")).toBe(1);
    expect(nobody.lines.join("\n")).toMatch(/room/);
  }
  const nothing = join(`${server.url}/`, { name: "Desk", showsLink: true });
  expect(await nothing.end()).toBe(1);
  expect(nothing.lines.join("\n")).toContain("no invitation");
});

/** As browsers of people do that were not given the camera: the names are in multicast DNS. */
test("a computer answers with a phone that hides its address", async ({ server, launch, join, seats }) => {
  test.skip(seats === "android", "Android phones are allowed the camera, and so hide nothing");
  const reason = await whyNoMulticast(`${server.url}/healthz`);
  test.skip(reason !== null, reason ?? "");
  const [phone] = (await launch(1, server, { mayUseCamera: false })) as [Phone];
  await phone.watchLinks();
  const golden = bundled().golden(PROMPT);
  const query = { model: bundled().url, pledge: "share:1.3:2", temperature: 0, tokens: golden.tokens.length };
  const link = await phone.start(server.url, { ...query, wire: "f32", name: phone.name });
  const computer = join(link, { name: "Desk" });
  await computer.says(/^in the room/, STEP_LIMIT_MS);
  await phone.meet(2);
  const candidates = await ownCandidates(phone);
  expect(candidates.length).toBeGreaterThan(0);
  for (const candidate of candidates) expect(candidate).toContain(".local ");
  await prepare([phone]);
  const turn = await phone.answer(await phone.type(PROMPT), STALL_LIMIT_MS);
  expect(turn.stats.tokens).toEqual(golden.tokens);
  expect(await computer.leave()).toBe(0);
});

for (const reach of ["server-alone", "each-other"] as const) {
  test(`a computer in another network answers with a phone: ${reach}`, async ({ launch, join, seats }) => {
    test.skip(seats === "android", "an Android phone has a network of its own");
    const reason = whyNoNetworks();
    test.skip(reason !== null, reason ?? "");
    const networks = new Networks({ phones: 2, reach });
    const server = await Server.start({ host: networks.server, args: ["--turn", `${networks.server}:0`] });
    try {
      const chromium = networks.phone(0).wrap(settings().chromium);
      const [phone] = (await launch(1, server, { program: chromium, trustedOrigin: server.url })) as [Phone];
      await phone.watchLinks();
      const golden = bundled().golden(PROMPT);
      const query = {
        model: bundled().url,
        pledge: "share:1.3:2",
        temperature: 0,
        tokens: golden.tokens.length,
      };
      const link = await phone.start(server.url, { ...query, wire: "f32", balance: "off", name: phone.name });
      const desk = join(link, { name: "Desk", program: networks.phone(1).wrap(settings().program) });
      await desk.says(/^in the room/, STEP_LIMIT_MS);
      await phone.meet(2);
      await prepare([phone]);
      const turn = await phone.answer(await phone.type(PROMPT), STALL_LIMIT_MS);
      expect(turn.stats.tokens).toEqual(golden.tokens);
      const relayed = (await server.stats()).turn_bytes;
      if (reach === "server-alone") expect(relayed).toBeGreaterThan(0);
      else expect(relayed).toBe(0);

      await test.step("it comes into yet another one in the midst of an answer", async () => {
        const ask = await phone.type(PROMPT);
        await phone.midst(ask, 10);
        networks.phone(1).move();
        const next = await phone.answer(ask, BEGIN_LIMIT_MS);
        expect(next.stats.tokens).toEqual(golden.tokens);
        expect((await phone.room()).peers.map(({ link }) => link)).toEqual(["open", "open"]);
      });
      expect(await desk.leave()).toBe(0);
      await phone.close();
    } finally {
      await server.stop();
      networks.close();
    }
  });
}

function flipped(byte: string): string {
  return (255 - parseInt(byte, 16)).toString(16).padStart(2, "0");
}
