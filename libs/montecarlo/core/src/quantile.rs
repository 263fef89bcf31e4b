//! The quantile of a sample: an observed value, never one between two.
//!
//! ```text
//!   x(1) ≤ x(2) ≤ … ≤ x(n)          quantile(q) = x(k),  k = the smallest rank with k/n ≥ q
//! ```
//!
//! The inverse of the empirical distribution function. `k/n ≥ q` is tested in double precision,
//! where both sides are rounded alike: the 0.95 quantile of 20 values is the 19th.
//!
//! Source: Hyndman, Fan, "Sample quantiles in statistical packages", The American Statistician 50
//! (1996), 361–365, definition 1.

/// The rank of the quantile `q` of `n` values, 1 to `n`.
#[must_use]
pub fn quantile_rank(n: usize, q: f64) -> usize {
    let reaches = |rank: usize| rank as f64 / n as f64 >= q;
    #[allow(clippy::cast_sign_loss)] // n and q are not below 0
    let mut rank = ((n as f64 * q) as usize).clamp(1, n);
    while rank > 1 && reaches(rank - 1) {
        rank -= 1;
    }
    while rank < n && !reaches(rank) {
        rank += 1;
    }
    rank
}

/// The quantile `q`, 0 to 1, of values that are sorted from the smallest on; NaN of none.
#[must_use]
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    sorted[quantile_rank(sorted.len(), q) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_first_value_that_the_fraction_reaches() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        for (q, expected) in [
            (0.0, 1.0),
            (0.25, 1.0),
            (0.26, 2.0),
            (0.5, 2.0),
            (0.75, 3.0),
            (1.0, 4.0),
        ] {
            assert_eq!(quantile(&sorted, q), expected);
        }
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_fraction_that_is_a_rank_gives_that_rank_whatever_its_rounding() {
        for n in 1..400 {
            for rank in 1..=n {
                assert_eq!(quantile_rank(n, rank as f64 / n as f64), rank);
            }
        }
        for percent in 1..100 {
            let q = format!("0.{percent:02}").parse().unwrap();
            assert_eq!(quantile_rank(100, q), percent);
            assert_eq!(quantile_rank(10_000, q), 100 * percent);
        }
    }
}
