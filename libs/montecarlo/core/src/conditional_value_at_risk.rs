//! Conditional value at risk: the mean of the losses that are at least the value at risk.
//!
//! ```text
//!   CVaR = mean of losses ≥ VaR       ▁▂▅█▅▂▁▁ losses
//!                                            └┴┴ their mean
//! ```
//!
//! Never below the value at risk. Source: Rockafellar, Uryasev, "Conditional value-at-risk for
//! general loss distributions", Journal of Banking & Finance 26 (2002), 1443–1471 (its lower `CVaR`).

use crate::mean::mean;
use crate::value_at_risk::value_at_risk;

/// Conditional value at risk at `level`, between 0 and 1, of profits sorted from the smallest on;
/// NaN of no profits.
#[must_use]
pub fn conditional_value_at_risk(sorted_profits: &[f64], level: f64) -> f64 {
    let largest = 0.0 - value_at_risk(sorted_profits, level);
    let tail = sorted_profits.partition_point(|&profit| profit <= largest);
    0.0 - mean(&sorted_profits[..tail])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_mean_of_the_value_at_risk_and_of_what_is_worse() {
        let profits: Vec<f64> = (0..100).map(|i| f64::from(i - 50)).collect();
        let losses = [45.0, 46.0, 47.0, 48.0, 49.0, 50.0];
        let found = conditional_value_at_risk(&profits, 0.95);
        assert_eq!(found, losses.iter().sum::<f64>() / 6.0);
    }

    #[test]
    fn losses_equal_to_the_value_at_risk_all_count() {
        let profits = [-9.0, -5.0, -5.0, -5.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        assert_eq!(conditional_value_at_risk(&profits, 0.8), 6.0);
    }

    #[test]
    fn equal_profits_have_their_loss_as_both_figures() {
        assert_eq!(conditional_value_at_risk(&[-7.0; 9], 0.5), 7.0);
        assert!(conditional_value_at_risk(&[], 0.5).is_nan());
    }
}
