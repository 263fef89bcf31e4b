//! The deepest fall of one path from a peak.
//!
//! ```text
//!      peak ╱╲
//!     ╱╲   ╱  ╲    ╱        max drawdown = min over t of value(t) / max over s≤t of value(s) − 1
//!    ╱  ╲ ╱    ╲  ╱
//!                ╲╱ deepest
//! ```
//!
//! Sampled where the path is: at the start and at the end of each step; between two steps the
//! price may fall deeper.

/// Follows the values of one path.
#[derive(Debug, Clone, Copy)]
pub struct Drawdown {
    peak: f64,
    deepest: f64,
}

impl Drawdown {
    /// From the value at the start.
    #[must_use]
    pub fn starting_at(value: f64) -> Self {
        let mut drawdown = Self {
            peak: value,
            deepest: 0.0,
        };
        drawdown.follow(value);
        drawdown
    }

    /// The next value.
    pub fn follow(&mut self, value: f64) {
        if !(value > 0.0 && value < f64::INFINITY) {
            // A fraction of nothing, or of a debt, means nothing; NaN stays from here on.
            self.deepest = f64::NAN;
            return;
        }
        if value > self.peak {
            self.peak = value;
        }
        let fall = value / self.peak - 1.0;
        if fall < self.deepest {
            self.deepest = fall;
        }
    }

    /// The deepest fall so far: a fraction, 0 or below; NaN once a value was not above 0 or not
    /// finite.
    #[must_use]
    pub fn deepest(&self) -> f64 {
        self.deepest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deepest(values: &[f64]) -> f64 {
        let mut drawdown = Drawdown::starting_at(values[0]);
        for &value in &values[1..] {
            drawdown.follow(value);
        }
        drawdown.deepest()
    }

    #[test]
    fn the_fall_is_measured_from_the_highest_value_before_it() {
        assert_eq!(deepest(&[100.0, 50.0, 200.0, 150.0, 400.0]), -0.5);
        assert_eq!(deepest(&[100.0, 90.0, 200.0, 40.0, 400.0]), -0.8);
    }

    #[test]
    fn a_path_that_never_falls_has_none() {
        assert_eq!(deepest(&[1.0, 1.0, 2.0]), 0.0);
    }

    #[test]
    fn a_value_that_is_not_above_zero_leaves_it_undefined() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(deepest(&[1.0, bad, 2.0, 1.0]).is_nan());
            assert!(deepest(&[bad, 1.0]).is_nan());
        }
    }
}
