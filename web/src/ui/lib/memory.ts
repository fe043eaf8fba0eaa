/** What is remembered on this phone between visits. Private windows may refuse; then nothing is. */

const NAME_KEY = "lingualinked.name";

export function rememberedName(): string {
  try {
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return "";
  }
}

export function rememberName(name: string): void {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // Not remembered, then.
  }
}
