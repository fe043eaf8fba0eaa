import { expect, it } from "vitest";

import { LIVES, renewalMs, USUAL_LIFE } from "./life.ts";

it("an invitation that is shown is good for most of its life", () => {
  expect(LIVES.map(({ life }) => life)).toContain(USUAL_LIFE);
  for (const { life } of LIVES)
    if (life !== null) expect(renewalMs(life)).toBeLessThanOrEqual((life * 1000) / 10);
  expect([renewalMs(4), renewalMs(null)]).toEqual([2000, null]);
});
