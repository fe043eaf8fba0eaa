import type { Engine } from "../../web/src/engine/engine.ts";
import type { GpuCounts, GpuMillis } from "./gpu.ts";

declare global {
  interface Window {
    lingualinked: { engine: Engine };
    gpuCounts: () => Promise<GpuCounts>;
    gpuMillis: () => Promise<GpuMillis>;
    gpuReadBackMs: () => Promise<number>;
    loseGpu: () => Promise<GpuCounts>;
    connections: RTCPeerConnection[];
    /** One of `bench/page/`. */
    contender: {
      load: (options: object) => Promise<unknown>;
      answer: (question: object) => Promise<unknown>;
    };
  }
}
