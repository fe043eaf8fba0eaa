import { expect, test } from "@playwright/test";

import { launchBrowser } from "../../src/chromium.ts";
import { withSite } from "./site.ts";

/**
 * Phones never send activations through the server; the whole-room tests show that its count stays 0. This one shows
 * that the count is worth something: bytes that do go through it are counted.
 */
test("bytes that go through the server are counted, signaling apart from them", async () => {
  await withSite({ "index.html": "<!doctype html><title>Sockets</title>" }, async (server) => {
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      const before = await server.stats();
      const received = await page.evaluate(relayBetweenSockets, server.url.replace("http", "ws") + "/signal");
      expect(received).toEqual({ sender: 0xa1b2c3d4, bytes: [1000, 1] });
      const after = await server.stats();
      expect(before.relayed_bytes).toBe(0);
      expect(after.relayed_bytes).toBe(1001);
      expect(after.signaling_bytes).toBeGreaterThan(before.signaling_bytes);
    } finally {
      await browser.close();
    }
  });
});

/** Runs in the page: two sockets in one room, and two binary messages of 1000 bytes and 1 byte from one to the other. */
async function relayBetweenSockets(url: string): Promise<{ sender: number; bytes: number[] }> {
  const room = "00112233445566778899aabbccddeeff";
  const enter = async (hello: object): Promise<WebSocket> => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    const entered = new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }));
    socket.send(JSON.stringify(hello));
    await entered;
    return socket;
  };
  const sender = await enter({ type: "open", room, peer: "a1b2c3d4" });
  const receiver = await enter({ type: "join", room, peer: "0badcafe" });
  const arrived: ArrayBuffer[] = [];
  const all = new Promise<void>((resolve) => {
    receiver.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer && arrived.push(data) === 2) resolve();
    });
  });
  for (const length of [1000, 1]) {
    const message = new DataView(new ArrayBuffer(4 + length));
    message.setUint32(0, 0x0badcafe);
    sender.send(message.buffer);
  }
  await all;
  const from = new DataView(arrived[0] ?? new ArrayBuffer(4)).getUint32(0);
  return { sender: from, bytes: arrived.map((message) => message.byteLength - 4) };
}
