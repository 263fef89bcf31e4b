//! Mean and standard deviation of a sample, summed in its order.
//!
//! ```text
//!   mean = Σ x / n          deviation = √( Σ (x − mean)² / (n − 1) )
//! ```
//!
//! Sums carry what rounding lost, so that ten million values cost no digits. Source: Neumaier,
//! "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54 (1974), 39–51.

/// The mean; NaN of no values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    sum(values.iter().copied()) / values.len() as f64
}

/// The standard deviation with n − 1; NaN of fewer than two values.
#[must_use]
pub fn standard_deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let centre = mean(values);
    let squares = sum(values.iter().map(|x| (x - centre) * (x - centre)));
    (squares / (values.len() - 1) as f64).sqrt()
}

fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_are_those_of_the_textbook() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), 5.0);
        assert_eq!(standard_deviation(&values), (32.0_f64 / 7.0).sqrt());
    }

    #[test]
    fn small_values_survive_beside_large_ones() {
        assert_eq!(mean(&[1e100, 1.0, -1e100, 1.0]), 0.5);
        assert_eq!(standard_deviation(&[0.1; 1000]), 0.0);
    }

    #[test]
    fn what_is_not_defined_is_nan() {
        assert!(mean(&[]).is_nan());
        assert!(standard_deviation(&[1.0]).is_nan());
        assert!(mean(&[1.0, f64::NAN]).is_nan());
    }
}
