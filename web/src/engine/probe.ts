/** A worker of a few lines that says whether WebGPU works where the engine will use it. */

export type ProbeAnswer = { gpu: "usable" } | { gpu: "missing" } | { gpu: "no_adapter" };

// The DOM's types have no WebGPU yet; this is all that is asked of it.
type WithGpu = { gpu?: { requestAdapter(): Promise<object | null> } };

const answer = (value: ProbeAnswer): void => postMessage(value);

async function probe(): Promise<void> {
  const { gpu } = navigator as WithGpu;
  if (!gpu) return answer({ gpu: "missing" });
  answer({ gpu: (await gpu.requestAdapter()) ? "usable" : "no_adapter" });
}

probe().catch(() => answer({ gpu: "no_adapter" }));
