//! What a model's files say of its texts, for the crate `text`.

use std::sync::Arc;

use crate::{
    error::ModelError,
    file::{ModelFile, Origin},
    gguf::front_pieces,
    source::ByteSource,
};

/// The parts of a model's files that tell how texts become tokens and conversations prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextFiles {
    /// The first bytes of a GGUF file; all of its metadata is in them.
    Gguf(Vec<u8>),
    /// The files beside safetensors.
    Json {
        /// `tokenizer.json`.
        tokenizer: Arc<str>,
        /// `tokenizer_config.json`.
        tokenizer_config: Arc<str>,
    },
}

impl<S: ByteSource> ModelFile<S> {
    /// Reads what its files say of texts, in pieces.
    ///
    /// # Errors
    /// [`ModelError::Source`].
    pub async fn text_files(&self) -> Result<TextFiles, ModelError> {
        if let Origin::HuggingFace(beside) = &self.origin {
            let (tokenizer, tokenizer_config) =
                (beside.tokenizer.clone(), beside.tokenizer_config.clone());
            return Ok(TextFiles::Json { tokenizer, tokenizer_config });
        }
        let mut front = Vec::with_capacity(self.index().front_bytes as usize);
        // The pieces that the index came in, because those may have been kept.
        for piece in front_pieces(self.index().front_bytes) {
            front.extend(self.source.read(piece).await?);
        }
        Ok(TextFiles::Gguf(front))
    }
}
