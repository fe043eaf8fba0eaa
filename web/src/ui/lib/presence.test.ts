import { expect, test } from "vitest";

import { reasonOf } from "./presence.ts";

test("a phone is away while its page is hidden or its battery nearly empty", () => {
  const battery = (level: number, charging = false): { level: number; charging: boolean } => ({
    level,
    charging,
  });
  expect(reasonOf("visible", undefined)).toBeNull();
  expect(reasonOf("visible", battery(0.5))).toBeNull();
  expect(reasonOf("visible", battery(0.1))).toBe("low_battery");
  expect(reasonOf("visible", battery(0.1, true))).toBeNull();
  expect(reasonOf("hidden", battery(0.5))).toBe("hidden");
});
