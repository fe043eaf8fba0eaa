import type { Engine } from "../../web/src/engine/engine.ts";
import type { plan } from "../../web/src/engine/planner.ts";
import type { EngineSpans, GpuCounts, GpuMillis } from "./gpu.ts";

declare global {
  interface Window {
    lingualinked: { engine: Engine; plan: typeof plan };
    gpuCounts: () => Promise<GpuCounts>;
    gpuMillis: () => Promise<GpuMillis>;
    engineSpans: () => Promise<EngineSpans>;
    timeKernels: () => Promise<void>;
    kernelMillis: () => Promise<Record<string, number>>;
    gpuReadBackMs: () => Promise<number>;
    loseGpu: () => Promise<GpuCounts>;
    runShortOfMemory: () => Promise<void>;
    haveMemory: () => Promise<void>;
    connections: RTCPeerConnection[];
    /** One of `bench/page/`. */
    contender: {
      load: (options: object) => Promise<unknown>;
      answer: (question: object) => Promise<unknown>;
    };
  }
}
