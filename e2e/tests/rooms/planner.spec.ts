import type { PlanInput } from "../../../web/src/engine/messages.ts";
import type { Phone } from "../../src/phone.ts";
import { expect, test } from "../fixtures.ts";

/** Two phones and four modules, for which the best plan can be worked out by hand. */
const INPUT: PlanInput = {
  objective: "latency",
  modules: [
    { name: "embed", flops: 1, weights_bytes: 10 },
    { name: "attn.0", flops: 20, weights_bytes: 10 },
    { name: "mlp.0", flops: 20, weights_bytes: 10 },
    { name: "head", flops: 5, weights_bytes: 20 },
  ],
  sequential_bytes: [4, 4, 4],
  devices: [
    { id: "a", flops_per_sec: 10, memory_bytes: 30 },
    { id: "b", flops_per_sec: 20, memory_bytes: 50 },
  ],
  rtt_secs: [
    [0, 0.2],
    [0.2, 0],
  ],
  bytes_per_sec: [
    [0, 100],
    [100, 0],
  ],
  token_bytes: 4,
};

test("a page plans without a room", async ({ server, launch }) => {
  const [phone] = (await launch(1, server)) as [Phone];
  await phone.open(server.url);
  const plan = (input: PlanInput): Promise<unknown> =>
    phone.page.evaluate(
      (asked) => window.lingualinked.plan(asked).catch((cause: Error) => cause.message),
      input,
    );

  await test.step("the best plan, its copies and its bound", async () => {
    // 0.1 s on `a`, 45 / 20 on `b`, and 4 bytes each way at 0.1 s and 0.04 s.
    const secs = 0.1 + 2.25 + 2 * 0.14;
    expect(await plan(INPUT)).toEqual({
      objective_secs: expect.closeTo(secs, 9),
      stages: [
        { device: "a", start: 0, end: 1 },
        { device: "b", start: 1, end: 4 },
      ],
      overlap: [
        { device: "b", start: 0, end: 1 },
        { device: "a", start: 1, end: 3 },
      ],
      lower_bound_secs: expect.closeTo(secs, 9),
      solve_secs: expect.any(Number),
    });
  });

  await test.step("what does not fit", async () => {
    const small = INPUT.devices.map((device) => ({ ...device, memory_bytes: 15 }));
    const { infeasible } = (await plan({ ...INPUT, devices: small })) as {
      infeasible: { missing_bytes: number; help: string }[];
    };
    expect(infeasible.map(({ missing_bytes }) => missing_bytes)).toContain(20);
  });

  await test.step("an input that means nothing", async () => {
    expect(await plan({ ...INPUT, sequential_bytes: [4] })).toBe(
      "sequential_bytes: must have 3 entries, has 1",
    );
  });
});
