//! The tiny models and what transformers answered on them.

use serde::Deserialize;

/// The decoders that [`golden`] knows, `ARCHITECTURE-TYPE`. All have 288 tokens and a context of 256, and, where nothing
/// else is said, a hidden width of 64, 4 layers, 4 query and 2 key/value heads of 16, and a
/// feed-forward width of 96.
///
/// `llama`: own output matrix, beginning-of-sequence token. `llama-q4_k_m`: 2 layers of width 256 and
/// heads of 64, whole blocks of the K types, which are mixed in it, and Llama 3.1's rotary scaling.
/// `qwen2`: biases. `qwen3`: heads of 32 (so 4 x 32 is not the hidden width), norms on query and key
/// heads. `gemma3`: 6 layers, five of them with a window of 8. `gpt2`: learned positions. `bloom`:
/// a width of 96, 6 heads with linear biases.
pub const MODELS: [&str; 10] = [
    "llama-f32",
    "llama-q8_0",
    "llama-q4_k_m",
    "qwen2-q4_0",
    "qwen3-f32",
    "qwen3-f16",
    "qwen3-q8_0",
    "gemma3-q8_0",
    "gpt2-f16",
    "bloom-q8_0",
];

/// The encoder-decoders that [`golden`] knows: a prompt goes through the encoder, and the answer begins
/// behind token 285. Both have 288 tokens, a hidden width of 64, 3 layers in the encoder and 2 in the
/// decoder, 4 heads of 32 (so 4 x 32 is not the hidden width), a feed-forward width of 96, and 16 buckets of
/// distances. `t5`: ReLU, one table for embedding and head. `flan-t5`: GELU with a gate, a matrix of its own
/// for the head.
pub const ENCODER_DECODERS: [&str; 4] = ["t5-f32", "t5-q8_0", "flan-t5-f16", "flan-t5-q8_0"];

/// Load a tiny model with its expectations.
///
/// # Panics
/// When `name` is not one of [`MODELS`] or [`ENCODER_DECODERS`].
pub fn golden(name: &str) -> Golden {
    let mut names = MODELS.iter().chain(&ENCODER_DECODERS);
    let index = names.position(|&known| known == name);
    let index = index.unwrap_or_else(|| {
        panic!("no golden model {name:?}; there are {MODELS:?} and {ENCODER_DECODERS:?}")
    });
    let (gguf, json, tensors) = FILES[index];
    let index: Index =
        serde_json::from_str(json).expect("the index is written by make_golden.py in this form");
    index.resolve(name, gguf, tensors)
}

/// A tiny model and what must come out of it.
#[derive(Clone, Debug)]
pub struct Golden {
    /// The name it was asked for by.
    pub name: String,
    /// The whole model file.
    pub gguf: &'static [u8],
    /// As the file names it; `flan-t5` for T5 1.1.
    pub architecture: String,
    /// Type of the matrices: `f32`, `f16`, `q8_0`, `q4_0` or `q4_k_m`. Norms are always f32.
    pub weights: String,
    /// Seed of the random weights.
    pub seed: u64,
    /// Relative error of these float32 logits against a float64 run.
    pub float64_error: f32,
    /// A prompt of 9 tokens.
    pub short: Prompt,
    /// A prompt of 40 tokens, so that prefill in chunks is crossed.
    pub long: Prompt,
    /// `[1 + layers][hidden]`: the short prompt's last position after the
    /// embedding and after each layer (before the output norm). Of an encoder-decoder they are those of the
    /// encoder, the last of them behind its norm.
    pub hidden: Vec<Vec<f32>>,
    /// Texts and their ids, without a beginning-of-sequence token.
    pub texts: Vec<Tokenized>,
    /// A conversation through the file's chat template.
    pub chat: Chat,
}

/// One prompt and its greedy completion.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The text that `ids` stand for.
    pub text: String,
    /// The prompt's tokens, with the beginning-of-sequence token where the file asks for it.
    pub ids: Vec<u32>,
    /// `[5][vocabulary]`: after the prompt's last token, then after each of
    /// the first four greedy tokens.
    pub logits: Vec<Vec<f32>>,
    /// 64 greedy tokens; `tokens[i]` is the best of `logits[i]`. None is a control token.
    pub tokens: Vec<u32>,
    /// The greedy tokens as text; bytes that are not UTF-8 became U+FFFD.
    pub completion: String,
    /// Smallest distance between the two best logits over all 64 choices.
    pub gap: f32,
}

/// A text and its ids.
#[derive(Clone, Debug, Deserialize)]
pub struct Tokenized {
    /// The text.
    pub text: String,
    /// Its tokens; control tokens in the text are parsed as such.
    pub ids: Vec<u32>,
}

/// A conversation, as the chat template renders it for an answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Chat {
    /// What was said so far.
    pub messages: Vec<Message>,
    /// The rendered prompt, `add_generation_prompt` on.
    pub text: String,
    /// Its tokens, without a beginning-of-sequence token.
    pub ids: Vec<u32>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// `NAME.json`.
#[derive(Deserialize)]
struct Index {
    architecture: String,
    weights: String,
    seed: u64,
    float64_error: f32,
    short: PromptIndex,
    long: PromptIndex,
    hidden: TensorIndex,
    texts: Vec<Tokenized>,
    chat: Chat,
}

#[derive(Deserialize)]
struct PromptIndex {
    text: String,
    ids: Vec<u32>,
    tokens: Vec<u32>,
    completion: String,
    gap: f32,
    logits: TensorIndex,
}

/// A matrix in `NAME.f32`.
#[derive(Deserialize)]
struct TensorIndex {
    /// In floats.
    offset: usize,
    /// Rows and columns.
    shape: [usize; 2],
}

impl Index {
    fn resolve(self, name: &str, gguf: &'static [u8], tensors: &[u8]) -> Golden {
        Golden {
            name: name.to_owned(),
            gguf,
            architecture: self.architecture,
            weights: self.weights,
            seed: self.seed,
            float64_error: self.float64_error,
            short: self.short.resolve(tensors),
            long: self.long.resolve(tensors),
            hidden: self.hidden.resolve(tensors),
            texts: self.texts,
            chat: self.chat,
        }
    }
}

impl PromptIndex {
    fn resolve(self, tensors: &[u8]) -> Prompt {
        Prompt {
            text: self.text,
            ids: self.ids,
            logits: self.logits.resolve(tensors),
            tokens: self.tokens,
            completion: self.completion,
            gap: self.gap,
        }
    }
}

impl TensorIndex {
    fn resolve(&self, tensors: &[u8]) -> Vec<Vec<f32>> {
        let [rows, columns] = self.shape;
        let (floats, _) = tensors.as_chunks::<4>();
        let floats = &floats[self.offset..][..rows * columns];
        floats
            .chunks_exact(columns)
            .map(|row| row.iter().copied().map(f32::from_le_bytes).collect())
            .collect()
    }
}

/// The three files of a model.
macro_rules! files {
    ($name:literal) => {
        (
            include_bytes!(concat!("../golden/", $name, ".gguf")),
            include_str!(concat!("../golden/", $name, ".json")),
            include_bytes!(concat!("../golden/", $name, ".f32")),
        )
    };
}

/// Model, index and tensors, in the order of [`MODELS`] and then [`ENCODER_DECODERS`].
static FILES: [(&[u8], &str, &[u8]); 14] = [
    files!("llama-f32"),
    files!("llama-q8_0"),
    files!("llama-q4_k_m"),
    files!("qwen2-q4_0"),
    files!("qwen3-f32"),
    files!("qwen3-f16"),
    files!("qwen3-q8_0"),
    files!("gemma3-q8_0"),
    files!("gpt2-f16"),
    files!("bloom-q8_0"),
    files!("t5-f32"),
    files!("t5-q8_0"),
    files!("flan-t5-f16"),
    files!("flan-t5-q8_0"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LOGITS_TOLERANCE, image::Image};

    #[test]
    fn every_model_has_the_documented_shapes() {
        for name in MODELS.into_iter().chain(ENCODER_DECODERS) {
            let golden = golden(name);
            assert_eq!(format!("{}-{}", golden.architecture, golden.weights), name);
            assert_eq!((golden.short.ids.len(), golden.long.ids.len()), (9, 40));
            let sizes = match name {
                "llama-q4_k_m" => (3, 256),
                "gemma3-q8_0" => (7, 64),
                "bloom-q8_0" => (5, 96),
                _ if ENCODER_DECODERS.contains(&name) => (4, 64),
                _ => (5, 64),
            };
            assert_eq!((golden.hidden.len(), golden.hidden[0].len()), sizes);
            for prompt in [&golden.short, &golden.long] {
                assert_eq!((prompt.logits.len(), prompt.logits[0].len()), (5, 288));
                assert_eq!(prompt.tokens.len(), 64);
            }
        }
    }

    #[test]
    fn the_greedy_tokens_are_the_best_logits_by_more_than_the_tolerance() {
        for name in MODELS.into_iter().chain(ENCODER_DECODERS) {
            let golden = golden(name);
            assert!(golden.float64_error < 0.1 * LOGITS_TOLERANCE);
            for prompt in [&golden.short, &golden.long] {
                for (row, &token) in prompt.logits.iter().zip(&prompt.tokens) {
                    let best = row[token as usize];
                    let others = row.iter().enumerate().filter(|&(id, _)| id != token as usize);
                    let second = others.map(|(_, &v)| v).fold(f32::MIN, f32::max);
                    let most = row.iter().fold(0.0f32, |most, v| most.max(v.abs()));
                    assert!(best - second >= prompt.gap - 1e-6, "{name}");
                    assert!(
                        prompt.gap >= 1e-2 && prompt.gap > 2.0 * LOGITS_TOLERANCE * most,
                        "{name}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_embedding_row_of_the_last_prompt_token_is_the_first_hidden_state() {
        // The others change the row first, or have it in blocks that are not taken apart here.
        let others = ["llama-q4_k_m", "gemma3-q8_0", "gpt2-f16", "bloom-q8_0"];
        for name in MODELS.into_iter().filter(|name| !others.contains(name)) {
            let golden = golden(name);
            let image = Image::parse(golden.gguf).expect("golden files are well formed");
            let row_bytes = match golden.weights.as_str() {
                "f32" => 256,
                "f16" => 128,
                "q4_0" => 36,
                _ => 68,
            };
            let tensor =
                image.tensors.iter().find(|t| t.name == b"token_embd.weight").expect("present");
            let start = tensor.offset as usize + golden.short.ids[8] as usize * row_bytes;
            let row = &image.data[start..][..row_bytes];
            let values = match golden.weights.as_str() {
                "f32" => row.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect(),
                "f16" => crate::reference::dequantize_f16(row),
                "q4_0" => crate::reference::dequantize_q4_0(row),
                _ => crate::reference::dequantize_q8_0(row),
            };
            assert_eq!(values, golden.hidden[0], "{name}");
        }
    }
}
