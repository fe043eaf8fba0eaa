/** Every wait has an end, and says what it waited for. */

export class LateError extends Error {
  constructor(what: string, limitMs: number) {
    super(`${what}: not within ${Math.round(limitMs / 1000)} s`);
    this.name = "LateError";
  }
}

/** The promise, or an error that says what took too long. The promise itself goes on unheard. */
export async function within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError(what, limitMs)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until the answer is not undefined. */
export async function until<T>(
  limitMs: number,
  what: string | (() => string),
  ask: () => Promise<T | undefined> | T | undefined,
  pauseMs = 100,
): Promise<T> {
  const end = Date.now() + limitMs;
  const name = (): string => (typeof what === "string" ? what : what());
  for (;;) {
    const left = end - Date.now();
    if (left <= 0) throw new LateError(name(), limitMs);
    const answer = await within(left, "", Promise.resolve(ask())).catch((cause: unknown) => {
      throw cause instanceof LateError && Date.now() >= end ? new LateError(name(), limitMs) : cause;
    });
    if (answer !== undefined) return answer;
    await pause(pauseMs);
  }
}

/** What went wrong, in one line. */
export function firstLine(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.split("\n")[0] ?? message;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
