import type { IncomingMessage } from "node:http";
import { get as getPlain } from "node:http";
import { get as getSealed } from "node:https";
import { text } from "node:stream/consumers";

export interface Reply {
  status: number;
  body: string;
}

/** What a server of our own answers. It may have signed its certificate itself, which `fetch` accepts from nobody. */
export function ask(url: string, limitMs: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const hear = (answer: IncomingMessage): void => {
      text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject);
    };
    const request = url.startsWith("https:")
      ? getSealed(url, { rejectUnauthorized: false }, hear)
      : getPlain(url, hear);
    request.setTimeout(limitMs, () => request.destroy(new Error(`${url} does not answer`)));
    request.once("error", reject);
  });
}
