//! What the kernels need to know of positions: tables of rotary embedding, slopes of ALiBi, T5's biases
//! for distances.

use graph::{ModelConfig, RelativePositions};

/// Cosine and sine of every position and pair, `[context, head_dim / 2, 2]` (RoFormer,
/// arXiv 2104.09864). Computed in 64 bits here: a GPU's own sine is only promised for
/// small angles.
///
/// `is_local` is for layers that attend within a window. `divisors` `[head_dim / 2]`, where there are
/// any, divide the frequencies (Llama 3.1's scaling, worked out by who made the file).
pub(super) fn rotary_table(
    config: &ModelConfig,
    context_tokens: usize,
    is_local: bool,
    divisors: Option<&[f32]>,
) -> Vec<f32> {
    let rope = config.rope;
    let (theta, factor) =
        if is_local { (rope.local_theta, 1.0) } else { (rope.theta, rope.factor) };
    let frequency = |pair: usize| {
        let plain = f64::from(theta).powf(-2.0 * pair as f64 / config.head_dim as f64);
        let divisor = divisors.map_or(1.0, |divisors| f64::from(divisors[pair]));
        plain / divisor / f64::from(factor)
    };
    let frequencies: Vec<f64> = (0..config.head_dim / 2).map(frequency).collect();
    (0..context_tokens)
        .flat_map(|position| {
            frequencies.iter().flat_map(move |frequency| {
                let (sine, cosine) = (position as f64 * frequency).sin_cos();
                [cosine as f32, sine as f32]
            })
        })
        .collect()
}

/// What each head's score loses for a position of distance, `[heads]` (ALiBi, arXiv 2108.12409,
/// section 3): a geometric sequence; where the heads are no power of two, every other number of the
/// next longer sequence follows.
pub(super) fn slopes(heads: usize) -> Vec<f32> {
    let of = |count: usize, at: usize| (-8.0 * (at + 1) as f64 / count as f64).exp2() as f32;
    let power = 1 << heads.ilog2();
    let others = (0..heads - power).map(|at| of(2 * power, 2 * at));
    (0..power).map(|at| of(power, at)).chain(others).collect()
}

/// The bias of each head for each distance from a query to a key, `[heads, 2 max_distance + 1]`, keys
/// before the query first, from a table `[buckets, heads]`.
pub(super) fn biases(relative: RelativePositions, is_two_sided: bool, table: &[f32]) -> Vec<f32> {
    let heads = table.len() / relative.buckets;
    let farthest = relative.max_distance as i64;
    let of = |head: usize, distance| table[bucket(relative, is_two_sided, distance) * heads + head];
    (0..heads).flat_map(|head| (-farthest..=farthest).map(move |at| of(head, at))).collect()
}

/// The bucket of a key that is so far behind a query (T5, arXiv 1910.10683, section 2.1): near ones have
/// one each, and the farther they are the more share one. Where that is not two-sided, all keys behind the
/// query are as if they were at its place.
fn bucket(relative: RelativePositions, is_two_sided: bool, distance: i64) -> usize {
    let RelativePositions { buckets, max_distance } = relative;
    let (side, first) = match is_two_sided {
        true => (buckets / 2, if distance > 0 { buckets / 2 } else { 0 }),
        false => (buckets, 0),
    };
    let seen = if is_two_sided { distance } else { distance.min(0) };
    let away = seen.unsigned_abs() as usize;
    let single = side / 2;
    if away < single {
        return first + away;
    }
    // In 32 bits and in this order, as the model was trained: a rounded quotient decides on a bucket.
    let share =
        (away as f32 / single as f32).ln() / (max_distance as f64 / single as f64).ln() as f32;
    let more = (share * (side - single) as f32) as usize;
    first + (single + more).min(side - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_transformers() {
        for case in testkit::buckets() {
            let (buckets, max_distance) = (case.buckets, case.max_distance);
            let relative = RelativePositions { buckets, max_distance };
            for (distance, expected) in case.expected {
                let found = bucket(relative, case.two_sided, distance);
                assert_eq!(found, expected, "{buckets} to {max_distance}: {distance}");
            }
        }
    }

    #[test]
    fn distances_have_the_biases_of_their_buckets() {
        let relative = RelativePositions { buckets: 4, max_distance: 3 };
        let table = [0.0, 10.0, 1.0, 11.0, 2.0, 12.0, 3.0, 13.0];
        let two_sided = [1.0, 1.0, 1.0, 0.0, 3.0, 3.0, 3.0];
        let before = [3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        for (is_two_sided, first) in [(true, two_sided), (false, before)] {
            let second = first.map(|bias| bias + 10.0);
            assert_eq!(biases(relative, is_two_sided, &table), [first, second].concat());
        }
    }

    #[test]
    fn slopes_are_those_of_the_paper() {
        let eighths = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015_625, 0.007_812_5, 0.003_906_25];
        assert_eq!(slopes(8), eighths);
        assert_eq!(slopes(6)[4..], [0.5, 0.125]);
    }
}
