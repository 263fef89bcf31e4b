//! Value at risk: the loss that is exceeded with probability 1 − level.
//!
//! ```text
//!   loss = −profit                    ▁▂▅█▅▂▁▁ losses
//!   VaR = quantile(losses, level)            └ VaR
//! ```
//!
//! A loss is positive; the figure is negative where even the tail gains. Source: `McNeil`, Frey,
//! Embrechts, Quantitative Risk Management (2015), definition 2.8.

use crate::quantile::quantile_rank;

/// Value at risk at `level`, between 0 and 1, of profits sorted from the smallest on.
///
/// The [`quantile`](crate::quantile) of the losses. NaN of no profits.
#[must_use]
pub fn value_at_risk(sorted_profits: &[f64], level: f64) -> f64 {
    let n = sorted_profits.len();
    if n == 0 {
        return f64::NAN;
    }
    // The k-th smallest loss is the k-th largest profit; 0 − x keeps a loss of nothing +0.
    0.0 - sorted_profits[n - quantile_rank(n, level)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_of_a_hundred_losses_are_above_the_value_at_risk_of_95_percent() {
        let profits: Vec<f64> = (0..100).map(|i| f64::from(i - 50)).collect();
        let found = value_at_risk(&profits, 0.95);
        assert_eq!(found, 45.0);
        assert_eq!(profits.iter().filter(|&&p| -p > found).count(), 5);
    }

    #[test]
    fn one_path_and_certain_gains_have_a_value_at_risk_too() {
        assert_eq!(value_at_risk(&[-7.0], 0.99), 7.0);
        assert_eq!(value_at_risk(&[3.0, 4.0], 0.99), -3.0);
        assert!(value_at_risk(&[], 0.5).is_nan());
    }
}
