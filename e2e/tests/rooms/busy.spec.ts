import { join } from "node:path";

import { settings } from "../../src/settings.ts";
import { soakRequests } from "../../src/soak/busy-room.ts";
import { expect, test } from "../fixtures.ts";

test.skip(({ seats }) => seats === "android", "a phone's browser is not this machine's to kill");

/** `cargo xtask soak --only requests` does it for an hour. */
test("a room is asked all the time while phones come and go", async ({ server }) => {
  const folder = join(settings().output, "busy");
  const result = await soakRequests({ minutes: 1, seed: 4, folder }, server, () => {});
  expect(result.failures).toEqual([]);
  expect(result.asked.answered).toBeGreaterThan(3);
  // Whether one comes in the midst of an answer is a matter of speed: `going-on` sees to that.
  expect(Object.values(result.comings).reduce((sum, count) => sum + count)).toBeGreaterThan(0);
  expect(result.memory.header.ratio).not.toBeNull();
  expect(result.memory.header_wasm.first_half).toBeGreaterThan(1e6);
});
