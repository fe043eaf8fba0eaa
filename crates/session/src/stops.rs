//! Stop strings: where an answer's text ends, however its tokens cut it.

use std::mem;

/// The end of an answer's text, as long as it may be the beginning of a stop string.
#[derive(Debug)]
pub(crate) struct Stops {
    strings: Vec<String>,
    held: String,
    have_stopped: bool,
}

impl Stops {
    /// None of the strings is empty.
    pub(crate) fn new(strings: Vec<String>) -> Self {
        Self { strings, held: String::new(), have_stopped: false }
    }

    /// Whether the text has come to a stop string; nothing after it is shown.
    pub(crate) fn have_stopped(&self) -> bool {
        self.have_stopped
    }

    /// Takes what comes next; gives what is certainly not of a stop string.
    pub(crate) fn push(&mut self, text: &str) -> String {
        if self.have_stopped {
            return String::new();
        }
        self.held += text;
        if let Some(start) = self.first_stop() {
            self.have_stopped = true;
            self.held.truncate(start);
            return self.rest();
        }
        let held = self.held.split_off(self.undecided());
        mem::replace(&mut self.held, held)
    }

    /// What was held back, when nothing comes any more.
    pub(crate) fn rest(&mut self) -> String {
        mem::take(&mut self.held)
    }

    /// Where the stop string begins that is complete first; of several, the longest.
    fn first_stop(&self) -> Option<usize> {
        let span = |stop: &String| {
            let start = self.held.find(stop.as_str())?;
            Some((start + stop.len(), start))
        };
        self.strings.iter().filter_map(span).min().map(|(_, start)| start)
    }

    /// Where the end begins that may go on as a stop string.
    fn undecided(&self) -> usize {
        let begins_stop = |&at: &usize| {
            let end = &self.held[at..];
            self.strings.iter().any(|stop| stop.starts_with(end))
        };
        let mut starts = self.held.char_indices().map(|(at, _)| at);
        starts.find(begins_stop).unwrap_or(self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is shown after each piece, the rest at last, and whether it has stopped.
    fn shown(strings: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let mut stops = Stops::new(strings.iter().map(|&text| text.to_owned()).collect());
        let mut shown: Vec<String> = pieces.iter().map(|piece| stops.push(piece)).collect();
        shown.push(stops.rest());
        (shown, stops.have_stopped())
    }

    fn is_shown(strings: &[&str], pieces: &[&str], expected: &[&str], stops: bool) {
        let expected = expected.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(shown(strings, pieces), (expected, stops), "{strings:?}, {pieces:?}");
    }

    #[test]
    fn a_stop_string_is_never_shown_however_it_is_cut() {
        is_shown(&["END"], &["a E", "N", "D b", "c"], &["a ", "", "", "", ""], true);
        is_shown(&["END"], &["one END two END"], &["one ", ""], true);
        is_shown(&["END"], &["END"], &["", ""], true);
    }

    #[test]
    fn what_only_began_like_one_is_shown_in_the_end() {
        is_shown(&["END"], &["a EN", "tity", " E"], &["a ", "ENtity", " ", "E"], false);
        is_shown(&["aab"], &["aaa", "ab"], &["a", "a", ""], true);
        is_shown(&["東京"], &["東", "北", "東"], &["", "東北", "", "東"], false);
    }

    #[test]
    fn the_one_that_is_complete_first_counts() {
        is_shown(&["abcd", "bc"], &["abcd"], &["a", ""], true);
        is_shown(&["c", "abc"], &["xabc"], &["x", ""], true);
    }

    #[test]
    fn without_stop_strings_nothing_is_held_back() {
        is_shown(&[], &["a", "b"], &["a", "b", ""], false);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            stop in prop::collection::vec("[ab東]{1,4}", 1..=4),
            pieces in prop::collection::vec("[ab東]{0,4}", 0..12),
        ) {
            let stop: Vec<&str> = stop.iter().map(String::as_str).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let (in_pieces, stops) = shown(&stop, &pieces);
            let (at_once, stops_at_once) = shown(&stop, &[&pieces.concat()]);
            prop_assert_eq!((in_pieces.concat(), stops), (at_once.concat(), stops_at_once));
            prop_assert!(!stop.iter().any(|stop| in_pieces.concat().contains(stop)));
        }
    }
}
