//! A model whose front has been read: what the room needs to know of it.

use model::{Address, ModelError, ModelFile, Parts};
use protocol::peer::ModelRef;
use session::{EncoderSpec, ModelSpec};

use crate::world::{Files, Text};

/// The longest request where nobody says another.
const CONTEXT_TOKENS: u32 = 4096;

/// An opened model.
pub struct Opened<F: Files> {
    /// Its [`Address`], as other phones open it.
    pub url: String,
    /// Its files.
    pub file: ModelFile<Parts<F::File>>,
    /// The longest request that is wished for.
    wished_tokens: usize,
}

impl<F: Files> Opened<F> {
    /// Reads the fronts of the files at `url`, an [`Address`] in a line.
    pub async fn open(url: &str, files: &F) -> Result<Self, ModelError> {
        let mut address: Address =
            url.parse().map_err(|error| ModelError::Unavailable(format!("{error}.")))?;
        let file = files.find(&mut address).await?;
        let file = file.with_precision(address.precision).with_cache(address.cache);
        let wished_tokens = address.context_tokens.unwrap_or(CONTEXT_TOKENS) as usize;
        Ok(Self { url: address.to_string(), file, wished_tokens })
    }

    /// The longest request it is run with: at most the model's own, and its cache is planned for.
    pub fn context_tokens(&self) -> usize {
        self.file.config().context_tokens.min(self.wished_tokens)
    }

    /// What the coordinator plans with.
    pub fn spec(&self, text: &impl Text) -> Result<ModelSpec, ModelError> {
        let profiles = self.file.profiles(self.context_tokens(), 1)?;
        let config = self.file.config();
        Ok(ModelSpec {
            model: ModelRef {
                url: self.url.clone(),
                name: self.file.name().to_owned(),
                total_bytes: self.file.bytes(),
                context_tokens: self.context_tokens() as u32,
                takes_chats: text.takes_chats(),
                labels: config.labels.clone(),
            },
            modules: profiles.modules,
            sequential_bytes: profiles.sequential_bytes,
            residual: profiles.residual,
            tied: profiles.tied,
            encoder: config.encoder.map(|encoder| EncoderSpec {
                modules: self.file.modules().encoder_modules(),
                first_token: encoder.first_token,
            }),
            eos: text.eos(),
            row_bytes: (config.hidden * size_of::<f32>()) as u32,
            modules_depend: self.file.modules_depend(),
            slots: 1,
        })
    }
}
