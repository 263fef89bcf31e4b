//! The uniform distribution.
//!
//! ```text
//!   f(x) = 1 / (high − low)     ┌───────────┐
//!                               │           │
//!                          ─────┘           └─────
//!                              low         high
//! ```

use crate::draws::{Address, Draws};
use std::error::Error;
use std::fmt;

/// The uniform distribution between two finite bounds; rounding may touch a bound.
///
/// ```
/// use stratvector_montecarlo_core::{Address, Draws, Uniform};
///
/// let crash_day = Uniform::new(0.0, 252.0)?;
/// let day = crash_day.sample(&Draws::new(7), Address::new(0, 0, 0));
/// assert!((0.0..=252.0).contains(&day));
/// # Ok::<(), stratvector_montecarlo_core::UniformError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uniform {
    low: f64,
    width: f64,
}

/// Why a [`Uniform`] was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniformError {
    /// `!(low < high)`, or a bound is NaN.
    Empty,
    /// `high - low` is not finite.
    Unbounded,
}

impl fmt::Display for UniformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "low < high does not hold in a uniform distribution",
            Self::Unbounded => "high - low is not finite in a uniform distribution",
        })
    }
}

impl Error for UniformError {}

impl Uniform {
    /// Between `low` and `high`.
    ///
    /// # Errors
    /// [`UniformError`] unless `low < high` and `high - low` is finite.
    pub fn new(low: f64, high: f64) -> Result<Self, UniformError> {
        if low.is_nan() || high.is_nan() || low >= high {
            return Err(UniformError::Empty);
        }
        let width = high - low;
        if !width.is_finite() {
            return Err(UniformError::Unbounded);
        }
        Ok(Self { low, width })
    }

    /// The draw at `address`.
    #[must_use]
    pub fn sample(&self, draws: &Draws, address: Address) -> f64 {
        self.low + self.width * draws.fraction(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_hold_no_interval_are_refused() {
        for (low, high) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
            assert_eq!(Uniform::new(low, high), Err(UniformError::Empty));
        }
    }

    #[test]
    fn a_width_that_is_not_finite_is_refused() {
        for (low, high) in [(0.0, f64::INFINITY), (-f64::MAX, f64::MAX)] {
            assert_eq!(Uniform::new(low, high), Err(UniformError::Unbounded));
        }
    }

    #[test]
    fn mean_and_variance_are_those_of_the_interval() {
        let uniform = Uniform::new(-1.0, 3.0).unwrap();
        let draws = Draws::new(5);
        let n = 200_000;
        let sample = |path| uniform.sample(&draws, Address::new(path, 0, 0));
        let mean = (0..n).map(sample).sum::<f64>() / n as f64;
        let variance = (0..n).map(|p| (sample(p) - mean).powi(2)).sum::<f64>() / n as f64;
        // Five standard errors: 5·√(16/12/n) and 5·√(16²/180/n).
        assert!((mean - 1.0).abs() < 0.013, "mean {mean}");
        assert!(
            (variance - 16.0 / 12.0).abs() < 0.014,
            "variance {variance}"
        );
    }
}
