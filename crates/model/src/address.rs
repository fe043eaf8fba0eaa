//! Where a model is, in one line that phones tell each other.

use std::{fmt, str::FromStr};

use kernels::CacheType;

use crate::precision::Precision;

/// Where a model's main file is, how its matrices of floats and its KV cache are kept, and for how long a
/// request.
///
/// In a line: `/models/x.gguf`, `https://example.org/x.gguf` or `file:BYTES:SHA256:x.gguf`, each perhaps
/// with wishes behind: `#q8_0` or `#q4_0`, `kv16`, `ctx8192`, as in `#q8_0,kv16,ctx8192`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Where the file is.
    pub place: Place,
    /// What becomes of floats.
    pub precision: Precision,
    /// How keys and values are kept.
    pub cache: CacheType,
    /// The longest request that there is to be room for, prompt and completion, if that is said.
    pub context_tokens: Option<u32>,
}

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the room's own server: a file below `/models/`, or one in a folder there.
    Server {
        /// The path, `/models/NAME` or `/models/FOLDER/NAME`.
        path: String,
    },
    /// Behind another address.
    Web {
        /// The whole address; always `https`.
        url: String,
    },
    /// Picked by hand on every phone.
    Picked {
        /// Its name.
        name: String,
        /// Which file of that name it must be; none on the phone where it is picked first.
        mark: Option<FileMark>,
    },
}

/// What tells a file from others of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMark {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its first [`FileMark::FRONT_BYTES`], or of all of a shorter file.
    pub front_hash: [u8; 32],
}

impl FileMark {
    /// How much of a file is hashed.
    pub const FRONT_BYTES: u64 = 64 << 10;
}

/// A line that is no model's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address of a model: one begins with https:// or with /models/, or is a file picked by hand"
)]
pub struct AddressError(String);

impl Address {
    /// The main file's name.
    pub fn name(&self) -> &str {
        match &self.place {
            Place::Server { path } => after_last_slash(path),
            Place::Web { url } => after_last_slash(without_query(url)),
            Place::Picked { name, .. } => name,
        }
    }

    /// The address of a file beside the main one on the same server; none where files are picked.
    pub fn beside(&self, name: &str) -> Option<String> {
        match &self.place {
            Place::Server { path } => Some(format!("{}{name}", before_name(path))),
            Place::Web { url } => {
                let (path, query) = url.split_at(without_query(url).len());
                Some(format!("{}{name}{query}", before_name(path)))
            }
            Place::Picked { .. } => None,
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(line: &str) -> Result<Self, AddressError> {
        let wishes =
            line.rsplit_once('#').and_then(|(place, words)| Some((place, Wishes::read(words)?)));
        let (place, wishes) = wishes.unwrap_or((line, Wishes::default()));
        let place = place_of(place).filter(|_| line.len() <= MAX_BYTES);
        let place = place.ok_or_else(|| AddressError(line.chars().take(100).collect()))?;
        let Wishes { precision, cache, context_tokens } = wishes;
        Ok(Self { place, precision, cache, context_tokens })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Server { path: line } | Place::Web { url: line } => f.write_str(line)?,
            Place::Picked { name, mark: None } => write!(f, "file:::{name}")?,
            Place::Picked { name, mark: Some(mark) } => {
                write!(f, "file:{}:", mark.bytes)?;
                mark.front_hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                write!(f, ":{name}")?;
            }
        }
        let precision = match self.precision {
            Precision::AsStored => None,
            Precision::Q8_0 => Some("q8_0".to_owned()),
            Precision::Q4_0 => Some("q4_0".to_owned()),
        };
        let cache = (self.cache == CacheType::F16).then(|| "kv16".to_owned());
        let context = self.context_tokens.map(|tokens| format!("ctx{tokens}"));
        let words: Vec<String> = [precision, cache, context].into_iter().flatten().collect();
        if words.is_empty() { Ok(()) } else { write!(f, "#{}", words.join(",")) }
    }
}

/// What stands behind the `#`.
#[derive(Default)]
struct Wishes {
    precision: Precision,
    cache: CacheType,
    context_tokens: Option<u32>,
}

impl Wishes {
    /// The wishes, if all words are understood.
    fn read(words: &str) -> Option<Self> {
        let mut wishes = Self::default();
        for word in words.split(',') {
            match word {
                "q8_0" => wishes.precision = Precision::Q8_0,
                "q4_0" => wishes.precision = Precision::Q4_0,
                "kv16" => wishes.cache = CacheType::F16,
                _ => {
                    let tokens = word.strip_prefix("ctx")?.parse().ok()?;
                    wishes.context_tokens = Some(tokens).filter(|&tokens| tokens > 0);
                    wishes.context_tokens?;
                }
            }
        }
        Some(wishes)
    }
}

fn place_of(line: &str) -> Option<Place> {
    if let Some(name) = line.strip_prefix(MODELS_PATH) {
        let (folder, file) = name.split_once('/').unwrap_or((name, name));
        let is_lawful = is_plain(folder) && is_plain(file);
        return is_lawful.then(|| Place::Server { path: line.to_owned() });
    }
    if let Some(rest) = line.strip_prefix("https://") {
        let path = without_query(rest).split_once('/').map(|(_, path)| path);
        let has_file = path.is_some_and(|path| !after_last_slash(path).is_empty());
        let is_lawful = has_file && !line.contains(['#', ' ']);
        return is_lawful.then(|| Place::Web { url: line.to_owned() });
    }
    let mut parts = line.strip_prefix("file:")?.splitn(3, ':');
    let (bytes, hash, name) = (parts.next()?, parts.next()?, parts.next()?.to_owned());
    if name.is_empty() {
        return None;
    }
    if bytes.is_empty() && hash.is_empty() {
        return Some(Place::Picked { name, mark: None });
    }
    let mark = FileMark { bytes: bytes.parse().ok()?, front_hash: from_hex(hash)? };
    Some(Place::Picked { name, mark: Some(mark) })
}

/// A name that the server may have given to a file or a folder.
fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(path, _)| path)
}

fn after_last_slash(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn before_name(path: &str) -> &str {
    &path[..path.len() - after_last_slash(path).len()]
}

/// The longest line; more does not go into what phones tell each other.
const MAX_BYTES: usize = 1000;
/// Where the server keeps models.
const MODELS_PATH: &str = "/models/";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Address {
        line.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn lines_survive_and_have_names() {
        let mark = FileMark { bytes: 70_000, front_hash: [0xa5; 32] };
        let picked = Place::Picked { name: "my: model#1.gguf".into(), mark: Some(mark) };
        let (precision, cache) = (Precision::Q4_0, CacheType::F16);
        let picked = Address { place: picked, precision, cache, context_tokens: None };
        let picked = picked.to_string();
        for (line, name) in [
            ("/models/x.gguf", "x.gguf"),
            ("/models/x.gguf#q8_0", "x.gguf"),
            ("/models/x.gguf#kv16", "x.gguf"),
            ("/models/x.gguf#q8_0,kv16,ctx8192", "x.gguf"),
            ("/models/x/model.safetensors#q8_0", "model.safetensors"),
            ("https://example.org/a/model.safetensors?download=true#q4_0", "model.safetensors"),
            ("file:::x.gguf", "x.gguf"),
            (&picked, "my: model#1.gguf"),
        ] {
            assert_eq!((parsed(line).to_string().as_str(), parsed(line).name()), (line, name));
        }
    }

    #[test]
    fn files_lie_beside_each_other() {
        let beside = |line: &str| parsed(line).beside("config.json");
        assert_eq!(beside("/models/x.safetensors").as_deref(), Some("/models/config.json"));
        let web = beside("https://example.org/a/x.safetensors?download=true");
        assert_eq!(web.as_deref(), Some("https://example.org/a/config.json?download=true"));
        assert_eq!(beside("file:::x.safetensors"), None);
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "",
            "x.gguf",
            "/models/",
            "/models/../secret",
            "/models/.hidden",
            "/models/a/b/c.gguf",
            "/models/a/../b.gguf",
            "/models/a/",
            "/models/x.gguf#q5_0",
            "/models/x.gguf#q8_0,",
            "/models/x.gguf#ctx0",
            "/models/x.gguf#ctx-1",
            "/api/models",
            "//example.org/x.gguf",
            "http://example.org/x.gguf",
            "https://example.org",
            "https://example.org/",
            "https://example.org/?x.gguf",
            "https://example.org/x y.gguf",
            "file:x.gguf",
            "file:12::x.gguf",
            "file:12:zz:x.gguf",
            "file:::",
            "javascript:x",
            &format!("https://example.org/{}.gguf", "x".repeat(1000)),
        ] {
            assert!(line.parse::<Address>().is_err(), "{line}");
        }
    }
}
