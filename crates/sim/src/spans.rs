//! Sets of times.

/// Spans of seconds that do not touch, in order.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Spans(Vec<(f64, f64)>);

impl Spans {
    /// All times within any of these.
    pub(crate) fn of(spans: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut spans: Vec<(f64, f64)> = spans.into_iter().filter(|(from, to)| from < to).collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut merged: Vec<(f64, f64)> = Vec::with_capacity(spans.len());
        for (from, to) in spans {
            match merged.last_mut().filter(|last| last.1 >= from) {
                Some(last) => last.1 = last.1.max(to),
                None => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// What is in both.
    pub(crate) fn within(&self, other: &Self) -> Self {
        let (mut mine, mut theirs, mut both) = (0, 0, Vec::new());
        while let (Some(a), Some(b)) = (self.0.get(mine), other.0.get(theirs)) {
            let span = (a.0.max(b.0), a.1.min(b.1));
            if span.0 < span.1 {
                both.push(span);
            }
            if a.1 < b.1 { mine += 1 } else { theirs += 1 }
        }
        Self(both)
    }

    /// What is in this one alone.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut edges = vec![f64::NEG_INFINITY];
        edges.extend(other.0.iter().flat_map(|&(from, to)| [from, to]));
        edges.push(f64::INFINITY);
        let gaps = edges.chunks_exact(2).map(|edge| (edge[0], edge[1])).collect();
        self.within(&Self(gaps))
    }

    pub(crate) fn total_secs(&self) -> f64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }

    /// How many of the seconds of each of `count` parts of `from..to` are in it, as parts of 1.
    pub(crate) fn shares(&self, from: f64, to: f64, count: usize) -> Vec<f64> {
        let width = (to - from) / count as f64;
        let mut shares = vec![0.0; count];
        for &(start, end) in &self.0 {
            let first = (((start - from) / width).max(0.0) as usize).min(count - 1);
            let last = (((end - from) / width).max(0.0) as usize).min(count - 1);
            for (part, share) in shares.iter_mut().enumerate().take(last + 1).skip(first) {
                let left = from + part as f64 * width;
                *share += (end.min(left + width) - start.max(left)).max(0.0) / width;
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sets_of_times() {
        let spans = Spans::of([(4.0, 6.0), (0.0, 1.0), (0.5, 2.0), (9.0, 9.0)]);
        assert_eq!(spans, Spans(vec![(0.0, 2.0), (4.0, 6.0)]));
        assert_eq!(spans.total_secs(), 4.0);
        let other = Spans::of([(1.0, 5.0), (8.0, 9.0)]);
        assert_eq!(spans.within(&other), Spans(vec![(1.0, 2.0), (4.0, 5.0)]));
        assert_eq!(spans.without(&other), Spans(vec![(0.0, 1.0), (5.0, 6.0)]));
        assert_eq!(spans.without(&Spans::default()), spans);
    }

    #[test]
    fn shares_are_of_parts_of_the_time() {
        let spans = Spans::of([(0.0, 1.0), (1.5, 4.0), (7.0, 9.0)]);
        assert_eq!(spans.shares(0.0, 8.0, 4), [0.75, 1.0, 0.0, 0.5]);
        assert_eq!(Spans::default().shares(0.0, 8.0, 2), [0.0, 0.0]);
    }
}
