//! The tiny classifiers and what transformers makes of texts with them (`golden/make_classifiers.py`).

use serde::Deserialize;

/// A model that tells texts apart, as a folder (see [`crate::folder`]) and in part as a GGUF file. Sizes are
/// those of the golden decoders with two layers.
#[derive(Clone, Debug, Deserialize)]
pub struct Classifier {
    /// `llama-classifier` (F32), and of `qwen2`, `qwen3`, `gpt2` and `bloom` (F16).
    pub name: String,
    /// What the head's rows are called.
    pub labels: Vec<String>,
    /// Some texts; their labels differ.
    pub texts: Vec<Classified>,
}

/// A text and what it is.
#[derive(Clone, Debug, Deserialize)]
pub struct Classified {
    /// The text.
    pub text: String,
    /// Its tokens, with the beginning-of-sequence token where the files ask for it.
    pub ids: Vec<u32>,
    /// `[labels]`; the best is so by 0.1 or more.
    pub scores: Vec<f32>,
}

/// All of them.
pub fn classifiers() -> Vec<Classifier> {
    serde_json::from_str(include_str!("../golden/classifiers.json"))
        .expect("classifiers.json is written by make_classifiers.py in this form")
}

impl Classifier {
    /// The model as a GGUF file, of `llama` and `bloom`.
    pub fn gguf(&self) -> Option<&'static [u8]> {
        match self.name.as_str() {
            "bloom-classifier" => Some(include_bytes!("../golden/bloom-classifier.gguf")),
            "llama-classifier" => Some(include_bytes!("../golden/llama-classifier.gguf")),
            _ => None,
        }
    }
}

impl Classified {
    /// The number of the best label.
    pub fn label(&self) -> usize {
        let best = |a: &(usize, &f32), b: &(usize, &f32)| a.1.total_cmp(b.1);
        self.scores.iter().enumerate().max_by(best).map_or(0, |(label, _)| label)
    }

    /// Natural logarithms of the labels' probabilities.
    pub fn logprobs(&self) -> Vec<f32> {
        let scores = self.scores.iter().map(|&score| f64::from(score));
        let total = scores.clone().map(f64::exp).sum::<f64>().ln();
        scores.map(|score| (score - total) as f32).collect()
    }
}
