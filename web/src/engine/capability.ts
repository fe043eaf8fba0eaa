import type { EngineError } from "./messages.ts";
import type { ProbeAnswer } from "./probe.ts";

const PROBE_TIMEOUT_MS = 10_000;

/** What the check looks at; the real ones by default, others in tests. */
export interface Surroundings {
  secure: boolean;
  hasPeerConnections: boolean;
  probeGpu: () => Promise<ProbeAnswer>;
}

export function realSurroundings(): Surroundings {
  return {
    secure: globalThis.isSecureContext,
    hasPeerConnections: "RTCPeerConnection" in globalThis,
    probeGpu,
  };
}

/** Whether this browser can take part, before anything is downloaded. Null when it can. */
export async function findObstacle(around: Surroundings = realSurroundings()): Promise<EngineError | null> {
  if (!around.secure) {
    return { code: "insecure_context", message: "The page was opened over plain http." };
  }
  if (!around.hasPeerConnections) {
    return {
      code: "no_webgpu",
      message: "This browser has no WebRTC, so it cannot reach other phones directly.",
    };
  }
  return gpuObstacle((await around.probeGpu()).gpu);
}

function gpuObstacle(gpu: ProbeAnswer["gpu"]): EngineError | null {
  switch (gpu) {
    case "usable":
      return null;
    case "missing":
      return { code: "no_webgpu", message: "This browser has no WebGPU." };
    case "no_adapter":
      return {
        code: "no_webgpu",
        message: "This browser has WebGPU, but found no graphics chip it may use.",
      };
  }
}

/** Asks in a worker, where the engine will run: some browsers have WebGPU on the page alone. */
function probeGpu(): Promise<ProbeAnswer> {
  const worker = new Worker(new URL("./probe.ts", import.meta.url), { type: "module" });
  return new Promise<ProbeAnswer>((resolve) => {
    const timer = setTimeout(() => resolve({ gpu: "no_adapter" }), PROBE_TIMEOUT_MS);
    worker.onmessage = ({ data }: MessageEvent<ProbeAnswer>) => {
      clearTimeout(timer);
      resolve(data);
    };
    worker.onerror = () => resolve({ gpu: "missing" });
  }).finally(() => worker.terminate());
}
