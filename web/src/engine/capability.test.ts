import { describe, expect, it } from "vitest";

import { findObstacle, type Surroundings } from "./capability.ts";

const fine: Surroundings = {
  secure: true,
  hasPeerConnections: true,
  probeGpu: async () => ({ gpu: "usable" }),
};

describe("the check before anything is downloaded", () => {
  it("finds nothing wrong with a capable browser", async () => {
    expect(await findObstacle(fine)).toBeNull();
  });

  it("names the address before the chip: plain http hides WebGPU", async () => {
    const around: Surroundings = { ...fine, secure: false, probeGpu: async () => ({ gpu: "missing" }) };
    expect((await findObstacle(around))?.code).toBe("insecure_context");
  });

  it.each(["missing", "no_adapter"] as const)("stops without WebGPU (%s)", async (gpu) => {
    expect((await findObstacle({ ...fine, probeGpu: async () => ({ gpu }) }))?.code).toBe("no_webgpu");
  });
});
