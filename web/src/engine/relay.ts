/**
 * The way around browsers that cannot transfer an RTCDataChannel to a worker: the channel stays on the page and its
 * messages go through a MessagePort. `relayPort` is the page's end; `PortChannel` is the worker's, and looks to the
 * engine like the part of RTCDataChannel that it uses. May go when every supported browser transfers channels.
 */

/** From the page, beside the bytes. `taken` answers every send with the real channel's queue afterwards. */
type FromPage =
  | { signal: "open" }
  | { signal: "close" }
  | { signal: "taken"; queuedBytes: number }
  | { signal: "drained"; queuedBytes: number };

/** From the worker, beside the bytes. */
type FromEngine = { signal: "close" } | { signal: "threshold"; bytes: number };

/** The page's end: relays `channel` through the returned port, which goes to the worker. */
export function relayPort(channel: RTCDataChannel): MessagePort {
  const { port1: port, port2: forWorker } = new MessageChannel();
  const tell = (signal: FromPage): void => port.postMessage(signal);
  channel.binaryType = "arraybuffer";
  channel.onopen = () => tell({ signal: "open" });
  channel.onclose = () => tell({ signal: "close" });
  channel.onbufferedamountlow = () => tell({ signal: "drained", queuedBytes: channel.bufferedAmount });
  channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => port.postMessage(data, [data]);
  port.onmessage = ({ data }: MessageEvent<ArrayBuffer | FromEngine>) => {
    if (data instanceof ArrayBuffer) {
      if (channel.readyState === "open") channel.send(data);
      tell({ signal: "taken", queuedBytes: channel.bufferedAmount });
    } else if (data.signal === "threshold") channel.bufferedAmountLowThreshold = data.bytes;
    else channel.close();
  };
  if (channel.readyState === "open") tell({ signal: "open" });
  return forWorker;
}

/** The worker's end. Has what the engine uses of RTCDataChannel, with the same meaning. */
export class PortChannel extends EventTarget {
  binaryType = "arraybuffer";
  readyState: RTCDataChannelState = "connecting";
  onopen: ((event: Event) => void) | null = null;
  onclose: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  onbufferedamountlow: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent<ArrayBuffer>) => void) | null = null;
  #threshold = 0;
  /** Bytes in the real channel's queue when the page last said so; may be high, by the threshold at most. */
  #queuedBytes = 0;
  /** Sizes of the messages that the page has not taken yet, oldest first; the engine's window bounds it. */
  readonly #onTheWay: number[] = [];

  constructor(
    private readonly port: MessagePort,
    readonly label: string,
  ) {
    super();
    port.onmessage = ({ data }: MessageEvent<ArrayBuffer | FromPage>) => this.#received(data);
  }

  get bufferedAmount(): number {
    return this.#onTheWay.reduce((sum, bytes) => sum + bytes, this.#queuedBytes);
  }

  get bufferedAmountLowThreshold(): number {
    return this.#threshold;
  }

  set bufferedAmountLowThreshold(bytes: number) {
    this.#threshold = bytes;
    this.#tell({ signal: "threshold", bytes });
  }

  send(data: ArrayBuffer | ArrayBufferView): void {
    if (this.readyState !== "open") throw new DOMException("the channel is not open", "InvalidStateError");
    const copy = copyOf(data);
    this.#onTheWay.push(copy.byteLength);
    this.port.postMessage(copy, [copy]);
  }

  close(): void {
    if (this.readyState === "closed") return;
    this.readyState = "closing";
    this.#tell({ signal: "close" });
  }

  #received(data: ArrayBuffer | FromPage): void {
    if (data instanceof ArrayBuffer) {
      const event = new MessageEvent<ArrayBuffer>("message", { data });
      this.dispatchEvent(event);
      return this.onmessage?.(event);
    }
    switch (data.signal) {
      case "open":
        this.readyState = "open";
        return this.#fire("open", this.onopen);
      case "close":
        this.readyState = "closed";
        return this.#fire("close", this.onclose);
      case "taken":
        return this.#settled(data.queuedBytes, 1);
      case "drained":
        return this.#settled(data.queuedBytes, 0);
    }
  }

  #settled(queuedBytes: number, taken: number): void {
    const before = this.bufferedAmount;
    this.#onTheWay.splice(0, taken);
    this.#queuedBytes = queuedBytes;
    if (before > this.#threshold && this.bufferedAmount <= this.#threshold) {
      this.#fire("bufferedamountlow", this.onbufferedamountlow);
    }
  }

  #fire(type: string, handler: ((event: Event) => void) | null): void {
    const event = new Event(type);
    this.dispatchEvent(event);
    handler?.(event);
  }

  #tell(signal: FromEngine): void {
    this.port.postMessage(signal);
  }
}

function copyOf(data: ArrayBuffer | ArrayBufferView): ArrayBuffer {
  if (data instanceof ArrayBuffer) return data.slice(0);
  const copy = new Uint8Array(data.byteLength);
  copy.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return copy.buffer;
}
