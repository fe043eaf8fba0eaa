//! SentencePiece's table that texts are rewritten by (T5), as the `tokenizers` library walks it.
//!
//! The table is the size of a trie in bytes, the trie, and the texts to put in place, each with a 0 behind it.
//! The trie is a double array ("An Efficient Digital Search Algorithm by Using a Double-Array Structure", Aoe
//! 1989): words with a label, an offset, and whether a value follows. The library trusts its offsets, so they
//! are followed here first, all of them.

use tokenizers::{Normalizer, normalizers::Precompiled};

use super::pipeline::wrong;
use crate::error::TextError;

/// What rewrites texts by a table.
///
/// # Errors
/// [`TextError::Tokenizer`] where the table leads outside itself.
pub(super) fn form(table: &[u8]) -> Result<Box<dyn Normalizer + Send>, TextError> {
    let (trie, texts) = parts(table).ok_or_else(|| wrong("a table for texts ends too early"))?;
    if !leads_into_itself(&trie, texts) {
        return Err(wrong("a table for texts leads outside itself"));
    }
    Ok(Box::new(Precompiled::from(table).map_err(wrong)?))
}

/// The words of the trie, and the texts.
fn parts(table: &[u8]) -> Option<(Vec<u32>, &str)> {
    let (size, rest) = table.split_first_chunk::<4>()?;
    let trie_bytes = usize::try_from(u32::from_le_bytes(*size)).ok()? / 4 * 4;
    let (trie, texts) = rest.split_at_checked(trie_bytes)?;
    let (words, _) = trie.as_chunks::<4>();
    Some((words.iter().copied().map(u32::from_le_bytes).collect(), str::from_utf8(texts).ok()?))
}

/// Whether every way from the root stays in the trie, and every value is the place of a text.
fn leads_into_itself(trie: &[u32], texts: &str) -> bool {
    let mut seen = vec![false; trie.len()];
    let mut waiting = vec![0];
    while let Some(node) = waiting.pop() {
        let Some(&unit) = trie.get(node) else { return false };
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        let base = node ^ offset(unit);
        if has_value(unit) {
            let value = trie.get(base).map(|&unit| (unit & VALUE) as usize);
            if !value.is_some_and(|at| texts.is_char_boundary(at)) {
                return false;
            }
        }
        // A label is compared after the word was read.
        if (base | 0xff) >= trie.len() {
            return false;
        }
        let next = (1..=0xff).map(|byte| (base ^ byte, byte));
        waiting.extend(next.filter(|&(at, byte)| label(trie[at]) == byte as u32).map(|(at, _)| at));
    }
    true
}

fn has_value(unit: u32) -> bool {
    (unit >> 8) & 1 == 1
}

/// The byte that leads to a word; that of a value is none.
fn label(unit: u32) -> u32 {
    unit & ((1 << 31) | 0xff)
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}

const VALUE: u32 = (1 << 31) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use testkit::rewritten;
    use tokenizers::NormalizedString;

    /// Rewrites something with whatever is in the table.
    fn rewrite(table: &[u8]) -> Result<String, TextError> {
        let form = form(table)?;
        let letters = (1..0x3000).step_by(7).filter_map(char::from_u32);
        let mut text = NormalizedString::from(letters.collect::<String>());
        form.normalize(&mut text).map_err(wrong)?;
        Ok(text.get().to_owned())
    }

    #[test]
    fn a_table_that_leads_outside_itself_is_refused() {
        let sound = rewritten().table;
        assert!(rewrite(&sound).is_ok());
        let trie_bytes = u32::from_le_bytes(sound[..4].try_into().expect("four bytes"));
        for size in [0, 4, 1020, trie_bytes + 4096, u32::MAX] {
            let other = [&size.to_le_bytes()[..], &sound[4..]].concat();
            rewrite(&other).expect_err("another size");
        }
        for length in [0, 3, 4, 500, trie_bytes as usize + 4] {
            rewrite(&sound[..length]).expect_err("it ends early");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_changed_table_never_panics(at in 0usize..1063, byte: u8, more in 0usize..1063, other: u8) {
            let mut table = rewritten().table;
            (table[at], table[more]) = (byte, other);
            let _ = rewrite(&table);
        }
    }
}
