import type { Engine } from "../../web/src/engine/engine.ts";
import type { GpuCounts } from "./gpu.ts";

declare global {
  interface Window {
    lingualinked: { engine: Engine };
    gpuCounts: () => Promise<GpuCounts>;
    loseGpu: () => Promise<GpuCounts>;
    connections: RTCPeerConnection[];
  }
}
