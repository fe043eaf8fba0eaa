//! What the kernels need to know of positions: tables of rotary embedding, slopes of ALiBi.

use graph::ModelConfig;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_paper() {
        let eighths = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015_625, 0.007_812_5, 0.003_906_25];
        assert_eq!(slopes(8), eighths);
        assert_eq!(slopes(6)[4..], [0.5, 0.125]);
    }
}
