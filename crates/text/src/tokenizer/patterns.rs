//! How byte-level vocabularies cut a text into words. The patterns are part of the models'
//! definitions: they stand in the models' `tokenizer.json` files, and GGUF files give their
//! names (`tokenizer.ggml.pre`).

/// A vocabulary's way to cut.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Regular expressions, each cutting what the one before has left.
    pub(super) cuts: &'static [&'static str],
    /// Whether a word that is a token is one, even if no merges lead to it.
    pub(super) takes_whole_words: bool,
    /// Whether a prompt begins with a token for it where the file does not say.
    pub(super) adds_bos: bool,
}

impl Pattern {
    /// The pattern that GGUF files name so; files from before there were names give none.
    pub(super) fn named(name: Option<&str>) -> Option<&'static Self> {
        Some(match name {
            None | Some("default" | "gpt-2" | "mpt" | "olmo" | "trillion") => &GPT2,
            Some("smollm" | "starcoder" | "refact" | "command-r" | "codeshell") => &SMOLLM,
            Some("qwen2" | "deepseek-r1-qwen" | "stablelm2" | "megrez") => &QWEN2,
            Some("qwen35") => &QWEN35,
            Some("llama-bpe" | "llama3" | "llama-v3" | "falcon3") => &LLAMA3,
            Some("dbrx" | "smaug-bpe") => &SMAUG,
            Some("tekken") => &TEKKEN,
            Some("gpt-4o" | "llama4") => &GPT4O,
            Some("bloom") => &BLOOM,
            Some(_) => return None,
        })
    }
}

/// Whether an expression is one of these. Any other could be made to take for ever.
pub(super) fn is_known(expression: &str) -> bool {
    let patterns = [&GPT2, &SMOLLM, &QWEN2, &QWEN35, &LLAMA3, &TEKKEN, &GPT4O, &BLOOM];
    patterns.iter().any(|pattern| pattern.cuts.contains(&expression))
}

const fn cutting(cuts: &'static [&'static str]) -> Pattern {
    Pattern { cuts, takes_whole_words: false, adds_bos: false }
}

static GPT2: Pattern = cutting(&[GPT2_WORDS]);
static SMOLLM: Pattern = cutting(&[r"\p{N}", GPT2_WORDS]);
static QWEN2: Pattern = cutting(&[
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]);
static QWEN35: Pattern = cutting(&[
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]);
static LLAMA3: Pattern = Pattern { cuts: &[LLAMA3_WORDS], takes_whole_words: true, adds_bos: true };
static SMAUG: Pattern = cutting(&[LLAMA3_WORDS]);
static TEKKEN: Pattern = Pattern {
    cuts: &[
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ],
    takes_whole_words: true,
    adds_bos: true,
};
static GPT4O: Pattern = cutting(&[
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]);
static BLOOM: Pattern = cutting(&[r" ?[^(\s|[.,!?…。，、।۔،])]+"]);

const GPT2_WORDS: &str =
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
