/** A model file that the server offers. */
export interface ModelFile {
  name: string;
  bytes: number;
  /** Path on the page's own origin. */
  url: string;
}

const TIMEOUT_MS = 10_000;
const MOST_MODELS = 200;

/** What the server offers, smallest first. Rejects when it cannot be reached or answers with something else. */
export async function fetchModels(fetcher: typeof fetch = fetch): Promise<ModelFile[]> {
  const response = await fetcher("/api/models", { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`the list of models: ${response.status} ${response.statusText}`);
  return readModels(await response.json());
}

export function readModels(json: unknown): ModelFile[] {
  if (!Array.isArray(json)) throw new Error("the list of models is not a list");
  return json
    .slice(0, MOST_MODELS)
    .filter(isModelFile)
    .sort((a, b) => a.bytes - b.bytes);
}

/** `stories-q8_0.gguf` in words: what it is called, and how its weights are stored when the name says so. */
export function modelTitle(name: string): { title: string; weights: string | null } {
  const bare = name.replace(/\.gguf$/i, "");
  const [, stem = bare, weights = null] = /^(.+?)[-_. ]((?:i?q\d\w*|b?f16|f32))$/i.exec(bare) ?? [];
  const words = stem.replaceAll(/[-_\s]+/g, " ").trim() || name;
  return {
    title: words.charAt(0).toLocaleUpperCase() + words.slice(1),
    weights: weights?.toUpperCase() ?? null,
  };
}

function isModelFile(value: unknown): value is ModelFile {
  if (typeof value !== "object" || value === null) return false;
  const { name, bytes, url } = value as Partial<Record<keyof ModelFile, unknown>>;
  return (
    typeof name === "string" && typeof bytes === "number" && typeof url === "string" && url.startsWith("/")
  );
}
