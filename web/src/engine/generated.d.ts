/**
 * The bindings that the Rust build writes to `src/generated/`. They are not checked in; this pattern types them where
 * they have not been built. The real declarations win once they exist.
 */
declare module "*/generated/lingualinked.js" {
  import type { FromWorker, ToWorker } from "./messages.ts";

  /** Fetches and starts the wasm module. Call once, before anything else. */
  export default function init(): Promise<unknown>;

  export class Engine {
    constructor(
      emit: (message: FromWorker, transfer?: Transferable[]) => void,
      loadText: () => Promise<unknown>,
    );
    handle(message: ToWorker): void;
  }
}

declare module "*/generated/lingualinked_text.js" {
  /** Fetches and starts the wasm module. Call once, before anything else. */
  export default function init(): Promise<unknown>;

  /** How a model reads and writes; the engine alone calls it. */
  export class ModelText {}
}
