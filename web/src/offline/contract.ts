/** What the page asks of its service worker. */
export type ToServiceWorker =
  /** Whether a file is of its version; answered with a boolean by the port. */
  | { ask: "has"; path: string }
  /** To remove what earlier versions kept, if the page that asks is the only one. */
  | { ask: "tidy" }
  /** To go on in place of the version before. */
  | { ask: "take over" };
