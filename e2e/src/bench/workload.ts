/** What every contender runs: the model's sizes, the precisions, the prompts and the lengths. */

/** A Qwen3 of 27 million weights; the head is the embedding. */
export const SIZES = {
  layers: 8,
  hidden: 512,
  ffn: 1536,
  heads: 8,
  kvHeads: 4,
  headDim: 64,
  vocab: 4096,
  /** The longest prompt and its answer fit into it. */
  contextTokens: 1280,
  ropeTheta: 1_000_000,
  epsilon: 1e-6,
} as const;

export type Sizes = { readonly [key in keyof typeof SIZES]: number };

export const PRECISIONS = ["F32", "F16", "Q8_0", "Q4_0"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Of the weights. */
export const SEED = 20_388;

/** Prompts that are timed, and how many tokens are decoded after each. */
export const SHORT_PROMPT_TOKENS = 128;
export const LONG_PROMPT_TOKENS = 1024;
export const DECODED_TOKENS = 32;
/** For contenders that take about a second a token. */
export const FEW_DECODED_TOKENS = 8;
/** Tokens that all contenders must agree on, after a prompt of this length. */
export const CHECKED_PROMPT_TOKENS = 12;
export const CHECKED_TOKENS = 8;

/**
 * A text of exactly so many tokens: a letter or a space is a token each. Texts of different `kind` differ from their
 * first letter on, so that nobody can go on from what it remembers of another.
 */
export function promptOf(tokens: number, kind: number): string {
  const letter = (at: number): string => String.fromCharCode(97 + ((at * at + 7 * at + kind) % 26));
  return Array.from({ length: tokens }, (_, at) => (at % 8 === 7 ? " " : letter(at))).join("");
}

/** A prompt's tokens: the first 256 of the vocabulary are the bytes. */
export function tokensOf(prompt: string): number[] {
  return [...Buffer.from(prompt, "utf8")];
}

/** The answer's tokens; see `vocabulary`. */
export function answerTokens(text: string): number[] {
  return [...text].map((letter) => (letter.codePointAt(0) ?? 0) - FIRST_LETTER);
}

/** The number of bytes, which is also the end token's id. */
export const END_TOKEN = 256;

/**
 * The tokens' texts as byte-level BPE spells them: the bytes, an end, then a letter of its own for each of the others,
 * so that an answer's text says its tokens. There are no merges.
 */
export function vocabulary(vocab: number): string[] {
  const spell = (token: number): string => {
    if (token < END_TOKEN) return byteLetter(token);
    if (token === END_TOKEN) return "<|end|>";
    const bytes = Buffer.from(String.fromCodePoint(FIRST_LETTER + token), "utf8");
    return [...bytes].map(byteLetter).join("");
  };
  return Array.from({ length: vocab }, (_, token) => spell(token));
}

/** Letters that are three bytes of UTF-8 each, from here on. */
const FIRST_LETTER = 0x4e00;

/** GPT-2's letter for a byte: itself where it can be seen, else the next of those from 256 on. */
function byteLetter(byte: number): string {
  const hidden = HIDDEN_BYTES.indexOf(byte);
  return String.fromCodePoint(hidden < 0 ? byte : 256 + hidden);
}

const HIDDEN_BYTES = Array.from({ length: 256 }, (_, byte) => byte).filter(
  (byte) => byte < 33 || (byte > 126 && byte < 161) || byte === 173,
);
