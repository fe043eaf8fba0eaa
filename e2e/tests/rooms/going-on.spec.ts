import type { AskOptions } from "../../../web/src/engine/messages.ts";
import { bundled } from "../../src/golden.ts";
import type { Phone } from "../../src/phone.ts";
import { Program } from "../../src/program.ts";
import { gather, prepare } from "../../src/room.ts";
import { settings } from "../../src/settings.ts";
import { expect, test } from "../fixtures.ts";

const PROMPT = "Once upon a time";
const HOW: AskOptions = { temperature: 0.8, topK: 0, topP: 1, seed: 7, maxTokens: 200 };
const ANSWER_LIMIT_MS = 180_000;
/** Where the others have no copy of the lost part. */
const LONGEST_PAUSE_SECS = 10;

test.skip(({ seats }) => seats === "android", "a phone's browser is not this machine's to kill");

for (const [what, signal] of [
  ["killed", "SIGKILL"],
  ["frozen", "SIGSTOP"],
] as const) {
  test(`an answer goes on when a phone is ${what}`, async ({ server, launch, picture }) => {
    const programs = [0, 1, 2].map(() => new Program(settings().chromium));
    const phones: Phone[] = [];
    for (const program of programs) phones.push(...(await launch(1, server, { program: program.path })));
    const [first] = phones as [Phone];
    // Any two of them have room for the model, and the third none to do.
    await gather(server, phones, { query: { model: bundled().url, pledge: "share:2.2:3", wire: "f32" } });
    const room = await prepare(phones);
    const undisturbed = await first.answer(await first.ask(PROMPT, HOW), ANSWER_LIMIT_MS);

    const ask = await first.ask(PROMPT, HOW);
    await first.midst(ask);
    const lost = phones.findIndex((phone) => ownId(room, phone) === room.plan?.stages[1]?.peer);
    expect(lost).toBeGreaterThan(0);
    programs[lost]?.signal(signal);

    const turn = await first.answer(ask, ANSWER_LIMIT_MS);
    expect(turn.stats.tokens).toEqual(undisturbed.stats.tokens);
    const { plan } = await first.room();
    expect(plan?.cause).toContain(phones[lost]?.name);
    expect(plan?.pauseSecs).toBeLessThan(LONGEST_PAUSE_SECS);
    test.info().annotations.push({ type: "pause", description: `${plan?.pauseSecs?.toFixed(2)} s` });
    await first.screenshot(picture(`gone-on-${what}`));
    programs[lost]?.end();
    programs.forEach((program) => program.close());
  });
}

function ownId(room: { peers: { id: string; name: string }[] }, phone: Phone): string | undefined {
  return room.peers.find(({ name }) => name === phone.name)?.id;
}
