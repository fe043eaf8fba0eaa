import { expect, test, vi } from "vitest";

import { watchInstall } from "./install.ts";

test("what the browser offers can be asked once", async () => {
  const target = new EventTarget();
  const offered = watchInstall(target);
  expect(offered.value).toBeNull();
  const prompt = vi.fn(() => Promise.resolve());
  const event = Object.assign(new Event("beforeinstallprompt", { cancelable: true }), { prompt });
  target.dispatchEvent(event);
  expect(event.defaultPrevented).toBe(true);
  await offered.value?.();
  expect(prompt).toHaveBeenCalledTimes(1);
  expect(offered.value).toBeNull();
});

test("an app that is installed is not offered", () => {
  const target = new EventTarget();
  const offered = watchInstall(target);
  target.dispatchEvent(new Event("beforeinstallprompt"));
  expect(offered.value).not.toBeNull();
  target.dispatchEvent(new Event("appinstalled"));
  expect(offered.value).toBeNull();
});
