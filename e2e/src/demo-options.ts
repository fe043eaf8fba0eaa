/** The demo's options: one JSON object, every key of which may be left out. */
export interface DemoOptions {
  phones: number;
  prompt: string;
  maxTokens: number;
  /** 0 always takes the likeliest token. */
  temperature: number;
  /** Undefined draws one. */
  seed: number | undefined;
  /** A GGUF file; the bundled model when undefined. */
  model: string | undefined;
  /** A folder for pictures of the phones. */
  screenshots: string | undefined;
  headed: boolean;
  /** A file for the demo's server to note its answers in. */
  accessLog: string | undefined;
}

export function parseDemoOptions(text: string): DemoOptions {
  const given = JSON.parse(text) as Record<string, unknown>;
  const known: Record<keyof DemoOptions, Check> = {
    phones: isPhones,
    prompt: isText,
    maxTokens: isCount,
    temperature: isTemperature,
    seed: isSeed,
    model: isText,
    screenshots: isText,
    headed: isFlag,
    accessLog: isText,
  };
  for (const [key, value] of Object.entries(given)) {
    const check = known[key as keyof DemoOptions] as Check | undefined;
    if (!check) throw new Error(`the demo has no option ${key}`);
    if (!check(value)) throw new Error(`the demo's option ${key} cannot be ${JSON.stringify(value)}`);
  }
  return { ...DEFAULTS, ...(given as Partial<DemoOptions>) };
}

const DEFAULTS: DemoOptions = {
  phones: 3,
  prompt: "Once upon a time",
  maxTokens: 64,
  temperature: 0,
  seed: undefined,
  model: undefined,
  screenshots: undefined,
  headed: false,
  accessLog: undefined,
};

type Check = (value: unknown) => boolean;

const isFlag: Check = (value) => typeof value === "boolean";
const isText: Check = (value) => typeof value === "string";
const isCount: Check = (value) => Number.isInteger(value) && Number(value) > 0;
const isPhones: Check = (value) => isCount(value) && Number(value) <= 8;
const isSeed: Check = (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32;
const isTemperature: Check = (value) => typeof value === "number" && value >= 0 && value <= 10;
