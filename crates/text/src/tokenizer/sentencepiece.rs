//! SentencePiece's BPE: texts begin with a space, spaces are `▁`, and what no token spells
//! is written in bytes (Llama 2, Mistral, Gemma).

use tokenizers::{
    decoders::{byte_fallback::ByteFallback, fuse::Fuse, strip::Strip},
    models::bpe::{Merges, Vocab},
    normalizers::Replace,
    pre_tokenizers::metaspace::{Metaspace, PrependScheme},
};

use super::{
    pipeline::{Pipeline, wrong},
    vocabulary::{Kind, Vocabulary},
    words::{BpeOptions, Words},
};
use crate::error::TextError;

/// The steps of SentencePiece's BPE. Where `begins_with_space`, a text that does not begin
/// with a space is given one; a text in the midst of a chat template is not, as transformers
/// does it for tokenizers that are not `legacy`.
///
/// # Errors
/// [`TextError::Tokenizer`] for merges that are none.
pub(super) fn pipeline(
    vocabulary: &Vocabulary<'_>,
    merges: Merges,
    begins_with_space: bool,
) -> Result<Pipeline, TextError> {
    let options = BpeOptions { has_bytes: true, fuses_unknown: true, ..BpeOptions::default() };
    let scheme = if begins_with_space { PrependScheme::First } else { PrependScheme::Never };
    let mut pipeline = Pipeline {
        forms: Vec::new(),
        cuts: vec![Box::new(Metaspace::new(SPACE, scheme, false))],
        words: Words::bpe(vocabulary, merges, options)?,
        joins: vec![
            Box::new(Replace::new(SPACE.to_string(), " ").map_err(wrong)?),
            Box::new(ByteFallback::new()),
            Box::new(Fuse::new()),
        ],
    };
    if begins_with_space {
        pipeline.joins.push(Box::new(Strip::new(' ', 1, 0)));
    }
    Ok(pipeline)
}

/// The merges that a vocabulary with scores implies: every way to make a token of two,
/// the token of the best score first, and of the ways to make one the longest left part.
/// (transformers' `generate_merges`.)
pub(super) fn merges(vocabulary: &Vocabulary<'_>, scores: &[f64]) -> Merges {
    let ids = vocabulary.for_bpe();
    let mut ways = Vec::new();
    for (&(token, kind), &score) in vocabulary.tokens.iter().zip(scores) {
        if matches!(kind, Kind::Text | Kind::Whole) {
            ways.extend(ways_to_make(token, score, &ids));
        }
    }
    ways.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        by_score.then(b.left_chars.cmp(&a.left_chars)).then(b.right_chars.cmp(&a.right_chars))
    });
    ways.into_iter().map(|way| (way.left.to_owned(), way.right.to_owned())).collect()
}

struct Way<'a> {
    score: f64,
    left: &'a str,
    right: &'a str,
    left_chars: usize,
    right_chars: usize,
}

fn ways_to_make<'a>(token: &'a str, score: f64, ids: &Vocab) -> Vec<Way<'a>> {
    let chars = token.chars().count();
    let cuts = token.char_indices().enumerate().skip(1);
    let ways = cuts.map(|(left_chars, (at, _))| {
        let (left, right) = token.split_at(at);
        // Zero has one sign here, as where scores are compared as numbers.
        Way { score: score + 0.0, left, right, left_chars, right_chars: chars - left_chars }
    });
    let mut ways: Vec<_> =
        ways.filter(|way| ids.contains_key(way.left) && ids.contains_key(way.right)).collect();
    ways.sort_by_key(|way| (ids[way.left], ids[way.right]));
    ways
}

/// Gemma's files write tokens of several spaces as such, where texts have `▁` when they are cut.
pub(super) fn respell_spaces((token, kind): &mut (&str, Kind)) {
    let is_spaces = !token.is_empty() && token.bytes().all(|byte| byte == b' ');
    if let Some(spelling) = SPACES.get(..token.len() * SPACE.len_utf8()).filter(|_| is_spaces) {
        (*token, *kind) = (spelling, Kind::Text);
    }
}

/// What SentencePiece writes for a space.
pub(super) const SPACE: char = '▁';
/// As many as Gemma has in one token.
const SPACES: &str = "▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁";
