import type { Engine } from "../../web/src/engine/engine.ts";
import type { plan } from "../../web/src/engine/planner.ts";
import type { EngineSpans, GpuCounts, GpuMillis } from "./gpu.ts";
import type { ScreenLocks } from "./phone-life.ts";

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
    /** `bench/page/slices.js`. */
    sendFrames: (how: {
      sliceBytes: number;
      queueBytes: number;
      frames: number[];
    }) => Promise<{ frames: number[]; behind: number[] }>;
    connections: RTCPeerConnection[];
    screenLocks: () => ScreenLocks;
    takeScreenLocks: () => Promise<void>;
    setVisibility: (to: DocumentVisibilityState) => void;
    setBattery: (to: number) => void;
    /** One of `bench/page/`. */
    contender: {
      load: (options: object) => Promise<unknown>;
      answer: (question: object) => Promise<unknown>;
    };
  }
}
