import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { settings } from "../../src/settings.ts";
import { until, within } from "../../src/waiting.ts";
import type { ScriptedPhone } from "./scripted-adb.ts";

const STEP_LIMIT_MS = 30_000;

/**
 * A scripted phone with a real browser: when it is told to start Chrome, it starts this machine's Chromium with the
 * flags that were written to the phone's flags file, if Chrome is the app to debug, as on a real phone.
 */
export class PhoneWithChrome implements ScriptedPhone {
  state = "device" as const;
  /** The flags that Chrome was started with. */
  flags: string[] = [];
  #flagsFile = "";
  #debugApp = "";
  #browser: { child: ChildProcess; profile: string; address: URL } | null = null;

  async shell(command: string): Promise<string> {
    if (command === "getprop sys.boot_completed") return "1\n";
    if (command === "getprop ro.product.model") return "Scripted Phone\n";
    if (command.startsWith("pm path com.android.chrome")) return "package:/data/app/chrome/base.apk\n";
    if (command.startsWith("am force-stop")) return await this.stop();
    const [, encoded] =
      /^echo "([^"]*)" \| base64 -d > \/data\/local\/tmp\/chrome-command-line$/.exec(command) ?? [];
    if (encoded !== undefined) this.#flagsFile = Buffer.from(encoded, "base64").toString();
    if (command === "rm /data/local/tmp/chrome-command-line") this.#flagsFile = "";
    const [, app] = /^am set-debug-app --persistent (\S+)$/.exec(command) ?? [];
    if (app !== undefined) this.#debugApp = app;
    if (command.startsWith("am start -a android.intent.action.VIEW")) await this.#start();
    return "";
  }

  socket(name: string): { port: number; rewrite: (first: Buffer) => Buffer } | undefined {
    const browser = this.#browser;
    if (!browser || !this.flags.includes(`--remote-debugging-socket-name=${name}`)) return undefined;
    const { port, pathname } = browser.address;
    // On a phone the path has no id, because only adb reaches the socket.
    const rewrite = (first: Buffer): Buffer => {
      const request = first.toString("latin1");
      const host = `Host: 127.0.0.1:${port}\r\n`;
      return Buffer.from(
        request.replace(/^GET \/devtools\/browser HTTP\/1.1\r\n/, `GET ${pathname} HTTP/1.1\r\n${host}`),
      );
    };
    return { port: Number(port), rewrite };
  }

  async stop(): Promise<string> {
    const browser = this.#browser;
    this.#browser = null;
    if (!browser) return "";
    const ended = new Promise((resolve) => browser.child.once("exit", resolve));
    // It ends its own children, which write to the profile until then.
    browser.child.kill("SIGTERM");
    await within(STEP_LIMIT_MS, "Chromium's end", ended);
    await rm(browser.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    return "";
  }

  async #start(): Promise<void> {
    this.flags = this.#debugApp === "com.android.chrome" ? this.#flagsFile.split(" ").slice(1) : [];
    const profile = mkdtempSync(join(tmpdir(), "scripted-phone-"));
    const own = ["--headless", "--no-sandbox", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
    const child = spawn(settings().chromium, [...own, ...this.flags, "about:blank"], { stdio: "ignore" });
    const file = join(profile, "DevToolsActivePort");
    const address = await until(STEP_LIMIT_MS, "Chromium's debugging port", () => {
      const [port, path] = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
      return port && path ? new URL(`http://127.0.0.1:${port}${path}`) : undefined;
    });
    this.#browser = { child, profile, address };
  }
}
