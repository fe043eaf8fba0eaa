import { afterEach, describe, expect, it, vi } from "vitest";

import { PortChannel, relayPort } from "./relay.ts";

/** The page's channel: what is sent stays queued until the test drains it. */
class FakeChannel {
  binaryType = "blob";
  readyState = "open";
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  readonly sent: number[][] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onbufferedamountlow: (() => void) | null = null;
  onmessage: ((event: { data: ArrayBuffer }) => void) | null = null;

  send(data: ArrayBuffer): void {
    this.sent.push([...new Uint8Array(data)]);
    this.bufferedAmount += data.byteLength;
  }
  drain(): void {
    this.bufferedAmount = 0;
    this.onbufferedamountlow?.();
  }
  close(): void {
    this.readyState = "closed";
    this.onclose?.();
  }
}

let ports: MessagePort[] = [];

function pair(): { page: FakeChannel; engine: PortChannel } {
  const page = new FakeChannel();
  const port = relayPort(page as unknown as RTCDataChannel);
  ports.push(port);
  return { page, engine: new PortChannel(port, "lingualinked") };
}

afterEach(() => {
  for (const port of ports) port.close();
  ports = [];
});

describe("a relayed channel", () => {
  it("opens, and carries bytes both ways", async () => {
    const { page, engine } = pair();
    await vi.waitFor(() => expect(engine.readyState).toBe("open"));
    const got: number[][] = [];
    engine.onmessage = ({ data }) => got.push([...new Uint8Array(data)]);
    engine.send(new Uint8Array([9, 1, 2]).subarray(1));
    page.onmessage?.({ data: new Uint8Array([3]).buffer });
    await vi.waitFor(() => expect(got).toEqual([[3]]));
    await vi.waitFor(() => expect(page.sent).toEqual([[1, 2]]));
  });

  it("counts what is on the way and says when it has drained", async () => {
    const { page, engine } = pair();
    await vi.waitFor(() => expect(engine.readyState).toBe("open"));
    const low = vi.fn();
    engine.onbufferedamountlow = low;
    engine.bufferedAmountLowThreshold = 5;
    engine.send(new ArrayBuffer(4));
    engine.send(new ArrayBuffer(4));
    expect(engine.bufferedAmount).toBe(8);
    await vi.waitFor(() => expect(page.sent).toHaveLength(2));
    expect(page.bufferedAmountLowThreshold).toBe(5);
    expect(low).not.toHaveBeenCalled();
    page.drain();
    await vi.waitFor(() => expect(low).toHaveBeenCalledOnce());
    expect(engine.bufferedAmount).toBe(0);
  });

  it("closes from either end and then refuses to send", async () => {
    const { page, engine } = pair();
    await vi.waitFor(() => expect(engine.readyState).toBe("open"));
    const closed = vi.fn();
    engine.addEventListener("close", closed);
    engine.close();
    await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce());
    expect(page.readyState).toBe("closed");
    expect(() => engine.send(new ArrayBuffer(1))).toThrow("not open");
  });
});
