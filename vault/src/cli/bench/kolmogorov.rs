//! The two-sample Kolmogorov-Smirnov test: could these two lists of times be drawn from one distribution?

/// What the test says of two samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    /// The greatest distance between the two empirical distributions, 0 to 1.
    pub(super) distance: f64,
    /// How likely a distance so great is where both are of one distribution.
    pub(super) chance: f64,
}

/// Compares two samples in any order. An empty one tells nothing apart.
pub(super) fn compared(mut first: Vec<u64>, mut second: Vec<u64>) -> Comparison {
    if first.is_empty() || second.is_empty() {
        return Comparison {
            distance: 0.0,
            chance: 1.0,
        };
    }
    first.sort_unstable();
    second.sort_unstable();
    let distance = distance(&first, &second);
    let (m, n) = (size(&first), size(&second));
    let root = (m * n / (m + n)).sqrt();
    Comparison {
        distance,
        // Stephens (1970): good from four observations on; Numerical Recipes section 14.3.
        chance: beyond((root + 0.12 + 0.11 / root) * distance),
    }
}

/// Of sorted samples. Equal observations are stepped over together.
fn distance(first: &[u64], second: &[u64]) -> f64 {
    let (m, n) = (size(first), size(second));
    let (mut i, mut j, mut greatest) = (0, 0, 0.0_f64);
    while let (Some(a), Some(b)) = (first.get(i), second.get(j)) {
        let at = *a.min(b);
        i += first[i..].iter().take_while(|one| **one == at).count();
        j += second[j..].iter().take_while(|one| **one == at).count();
        greatest = greatest.max((size(&first[..i]) / m - size(&second[..j]) / n).abs());
    }
    greatest
}

/// Kolmogorov's distribution: the chance to be beyond `x`.
fn beyond(x: f64) -> f64 {
    // Below, the alternating sum converges slowly, and the chance is 1 to eleven places.
    if x < 0.27 {
        return 1.0;
    }
    let term = |k: u32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        let k = f64::from(k);
        sign * (-2.0 * k * k * x * x).exp()
    };
    (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

fn size(sample: &[u64]) -> f64 {
    f64::from(u32::try_from(sample.len()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, expected: f64, within: f64) {
        assert!(
            (found - expected).abs() <= within,
            "{found} is not {expected}"
        );
    }

    // Kolmogorov's distribution, `scipy.special.kolmogorov(x)`.
    #[test]
    fn the_distribution_is_kolmogorov_s() {
        for (x, chance) in [
            (0.1, 1.0),
            (0.5, 0.963_945_243_664_875_1),
            (0.828, 0.499_329_621_193_800_87),
            (1.0, 0.269_999_671_677_355_67),
            (1.36, 0.049_485_876_755_377_876),
            (1.63, 0.009_846_364_888_486_529),
            (2.0, 0.000_670_925_255_779_695_3),
        ] {
            near(beyond(x), chance, 1e-12);
        }
    }

    #[test]
    fn equal_samples_can_t_be_told_apart_and_disjoint_ones_can() {
        let sample: Vec<u64> = (0..1_000).collect();
        let same = compared(sample.clone(), sample.iter().rev().copied().collect());
        near(same.distance, 0.0, 1e-12);
        near(same.chance, 1.0, 1e-12);
        let other = compared(sample.clone(), (1_000..2_000).collect());
        near(other.distance, 1.0, 1e-12);
        assert!(other.chance < 1e-100);
        near(compared(sample, Vec::new()).chance, 1.0, 1e-12);
    }

    /// Numbers that another program makes too.
    fn numbers(seed: u64, count: usize, below: u64) -> Vec<u64> {
        let mut state = seed;
        let next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    // What `scipy.stats.ks_2samp` of SciPy 1.x prints for the same numbers: D, and p by method='asymp' (to 'exact'
    // it is as near). Stephens's formula is another approximation: the chances differ in the third place.
    #[test]
    fn whole_samples_give_what_scipy_prints() {
        for (first, second, distance, chance) in [
            (
                (1, 1_000, 1_000_000),
                (2, 1_000, 1_000_000),
                0.057,
                0.074_658,
            ),
            (
                (1, 1_000, 1_000_000),
                (2, 800, 1_050_000),
                0.047_25,
                0.266_274,
            ),
            ((3, 300, 100), (4, 500, 110), 0.101_333_333, 0.039_172),
            (
                (5, 10_000, 1_000_000),
                (6, 10_000, 1_030_000),
                0.029,
                0.000_436,
            ),
        ] {
            let of = |(seed, count, below)| numbers(seed, count, below);
            let found = compared(of(first), of(second));
            near(found.distance, distance, 1e-9);
            near(found.chance, chance, 0.03 * chance);
        }
    }

    #[test]
    fn ties_are_stepped_over_together() {
        let tied = compared(vec![1, 1, 2, 2], vec![1, 2, 2, 2]);
        near(tied.distance, 0.25, 1e-12);
    }
}
