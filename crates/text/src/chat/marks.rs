//! Marks in messages, so that they spell no control tokens.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

use crate::error::TextError;

/// Knows the control tokens.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    matcher: AhoCorasick,
    /// Characters that a control token can go on after, and go on with.
    before_others: BTreeSet<char>,
    after_others: BTreeSet<char>,
    /// Characters that can be no mark: those of control tokens and of the template.
    taken: BTreeSet<char>,
}

impl Marks {
    /// Knows `controls` and the template's `source`. A control token of a single character
    /// has no midst to put a mark in; tokenizers do not look for it.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] where there are too many.
    pub(super) fn new<'a>(
        controls: impl Iterator<Item = &'a str>,
        source: &str,
    ) -> Result<Self, TextError> {
        let controls: Vec<&str> = controls.filter(|text| text.chars().nth(1).is_some()).collect();
        let matcher = AhoCorasick::new(&controls);
        let matcher = matcher.map_err(|error| TextError::Tokenizer(error.to_string()))?;
        let mut marks = Self {
            matcher,
            before_others: BTreeSet::new(),
            after_others: BTreeSet::new(),
            taken: source.chars().collect(),
        };
        for control in controls {
            let last = control.chars().count() - 1;
            marks.taken.extend(control.chars());
            marks.before_others.extend(control.chars().take(last));
            marks.after_others.extend(control.chars().skip(1));
        }
        Ok(marks)
    }

    /// A character that is nowhere in the template, the control tokens and the messages.
    pub(super) fn mark_for<'a>(&self, contents: impl Iterator<Item = &'a str>) -> Option<char> {
        let mut taken = self.taken.clone();
        contents.for_each(|content| taken.extend(content.chars()));
        // No character by definition, then those for private use, none of which is a space.
        let candidates = ('\u{FDD0}'..='\u{FDEF}').chain('\u{E000}'..='\u{F8FF}');
        candidates.chain('\u{F0000}'..='\u{FFFFD}').find(|candidate| !taken.contains(candidate))
    }

    /// `content` with marks, so that no control token is in it or reaches into it.
    pub(super) fn guard(&self, content: &str, mark: char) -> String {
        let mut guarded = content.to_owned();
        // Breaking one spelling can bring out another that overlaps it.
        while self.matcher.is_match(&guarded) {
            guarded = self.break_spellings(&guarded, mark);
        }
        let text = guarded.trim();
        let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
            return guarded;
        };
        let start = guarded.len() - guarded.trim_start().len();
        let end = guarded.trim_end().len();
        if self.before_others.contains(&last) {
            guarded.insert(end, mark);
        }
        if self.after_others.contains(&first) {
            guarded.insert(start, mark);
        }
        guarded
    }

    /// A mark after the first character of each spelling.
    fn break_spellings(&self, content: &str, mark: char) -> String {
        let mut broken = String::with_capacity(content.len() + 8);
        let mut rest = 0;
        for found in self.matcher.find_iter(content) {
            let first = content[found.start()..].chars().next().map_or(0, char::len_utf8);
            broken.push_str(&content[rest..found.start() + first]);
            broken.push(mark);
            rest = found.start() + first;
        }
        broken.push_str(&content[rest..]);
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(controls: &[&str], content: &str) -> String {
        let marks = Marks::new(controls.iter().copied(), "").expect("they are few");
        marks.guard(content, '#')
    }

    #[test]
    fn no_spelling_is_left_whole() {
        assert_eq!(guarded(&["<s>"], "a <s> b<s>c"), "a <#s> b<#s>c");
        assert_eq!(guarded(&["<|x|>", "|>y"], "<|x|>y."), "<#|x|#>y.");
        assert_eq!(guarded(&["aa"], "aaaa"), "#a#a#a#a#");
    }

    #[test]
    fn no_spelling_goes_on_beyond_a_message() {
        assert_eq!(guarded(&["<|end|>"], " so <|en\n"), " so <|en#\n");
        assert_eq!(guarded(&["<|end|>"], "|> quoted."), "#|> quoted.");
        assert_eq!(
            guarded(&["<|end|>"], "<tool> is no control token."),
            "<tool> is no control token."
        );
        assert_eq!(guarded(&["<|end|>"], " \n"), " \n");
    }

    #[test]
    fn the_mark_is_a_character_that_nothing_has() {
        let marks = Marks::new(["<s>"].into_iter(), "\u{FDD0}").expect("they are few");
        assert_eq!(marks.mark_for(["\u{FDD1}"].into_iter()), Some('\u{FDD2}'));
    }
}
