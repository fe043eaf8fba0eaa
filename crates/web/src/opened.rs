//! A model whose front has been read: what the room needs to know of it.

use std::rc::Rc;

use model::{ModelError, ModelFile, SourceError, Tokenizer};
use protocol::peer::ModelRef;
use session::ModelSpec;

use crate::http::{Fetched, HttpSource};

/// The longest context that is offered, prompt and completion together.
const MAX_CONTEXT_TOKENS: usize = 4096;
/// Requests that have a KV cache at once.
const SLOTS: usize = 1;
/// Where the server keeps models; a peer may not send us elsewhere.
const MODELS_PATH: &str = "/models/";

/// An opened model.
#[derive(Debug)]
pub struct Opened {
    /// Path on the server.
    pub url: String,
    /// The file.
    pub file: ModelFile<HttpSource>,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
}

impl Opened {
    /// Reads the front of the file at `url`, telling the server that `me` asks.
    pub async fn open(url: &str, me: &str, fetched: &Rc<Fetched>) -> Result<Self, ModelError> {
        let lawful = url.strip_prefix(MODELS_PATH).is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        });
        if !lawful {
            let reason = format!("`{url}` is not a path below {MODELS_PATH}");
            return Err(SourceError { range: 0..0, reason }.into());
        }
        let source = HttpSource::open(&format!("{url}?peer={me}"), fetched.clone()).await?;
        let file = ModelFile::open(source).await?;
        let tokenizer = file.tokenizer()?;
        Ok(Self { url: url.to_owned(), file, tokenizer })
    }

    /// The longest request it is run with.
    pub fn context_tokens(&self) -> usize {
        self.file.config().context_tokens.min(MAX_CONTEXT_TOKENS)
    }

    /// What the coordinator plans with.
    pub fn spec(&self) -> Result<ModelSpec, ModelError> {
        let profiles = self.file.profiles(self.context_tokens(), SLOTS)?;
        let config = self.file.config();
        Ok(ModelSpec {
            model: ModelRef {
                url: self.url.clone(),
                name: self.file.name().to_owned(),
                total_bytes: self.file.bytes(),
                context_tokens: self.context_tokens() as u32,
            },
            modules: profiles.modules,
            sequential_bytes: profiles.sequential_bytes,
            residual: profiles.residual,
            tied: profiles.tied,
            eos: self.tokenizer.eos().to_vec(),
            row_bytes: (config.hidden * size_of::<f32>()) as u32,
            slots: SLOTS as u16,
        })
    }
}
