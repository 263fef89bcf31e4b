//! Correlated geometric Brownian motion: prices whose log returns are normal.
//!
//! ```text
//!   dS/S = μ dt + σ dW                                        ╱╲   ╱╲╱
//!   ln S(t+Δ) = ln S(t) + (μ − σ²/2)·Δ + σ·√Δ·x            ╱╲╱  ╲╱
//!   x = L·z,  z independent standard normal, C = L·Lᵀ   S₀╱
//! ```
//!
//! The step is exact: prices at the end of a step have the model's own distribution, however long
//! it is. E[S(t)] = S(0)·exp(μt). Logarithms of prices are summed and not prices multiplied, so
//! that a path of many steps loses no digits.
//!
//! Source: Glasserman, Monte Carlo Methods in Financial Engineering (2003), section 3.2.

use crate::correlation::{CorrelationError, CorrelationFactor};
use crate::draws::{Address, Draws};
use crate::normal::Normal;
use std::error::Error;
use std::fmt;

/// Most assets of one model: a request with their correlations fits into one message.
pub const ASSETS_MAX: usize = 256;

/// Correlated geometric Brownian motion of some assets, per year.
///
/// ```
/// use stratvector_montecarlo_core::GeometricBrownianMotion;
///
/// let model = GeometricBrownianMotion::new(&[0.05, 0.08], &[0.2, 0.3], &[1.0, 0.6, 0.6, 1.0])?;
/// assert_eq!(model.assets(), 2);
/// # Ok::<(), stratvector_montecarlo_core::GbmError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GeometricBrownianMotion {
    drift: Vec<f64>,
    volatility: Vec<f64>,
    factor: CorrelationFactor,
}

/// Why a [`GeometricBrownianMotion`] was refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GbmError {
    /// `!(1 <= assets <= ASSETS_MAX)`.
    Assets(usize),
    /// There is not one volatility per drift.
    Volatilities {
        /// How many there are.
        found: usize,
        /// How many assets there are.
        assets: usize,
    },
    /// A drift is NaN or infinite.
    Drift(usize, f64),
    /// `!(0 <= volatility < infinity)`.
    Volatility(usize, f64),
    /// The correlation matrix is none.
    Correlation(CorrelationError),
}

impl fmt::Display for GbmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Assets(found) => write!(
                f,
                "drift holds {found} assets: 1 <= assets <= {ASSETS_MAX} does not hold"
            ),
            Self::Volatilities { found, assets } => write!(
                f,
                "volatility holds {found} assets: it does not equal drift's {assets}"
            ),
            Self::Drift(asset, found) => write!(
                f,
                "drift[{asset}] = {found}: -infinity < drift < infinity does not hold"
            ),
            Self::Volatility(asset, found) => write!(
                f,
                "volatility[{asset}] = {found}: 0 <= volatility < infinity does not hold"
            ),
            Self::Correlation(error) => error.fmt(f),
        }
    }
}

impl Error for GbmError {}

impl GeometricBrownianMotion {
    /// With `drift` and `volatility` of each asset and their `correlation`, row by row.
    ///
    /// # Errors
    /// [`GbmError`] unless sizes agree, drifts are finite, `0 <= volatility < infinity` and the
    /// correlation is a [`CorrelationFactor`]'s.
    pub fn new(drift: &[f64], volatility: &[f64], correlation: &[f64]) -> Result<Self, GbmError> {
        let assets = drift.len();
        if !(1..=ASSETS_MAX).contains(&assets) {
            return Err(GbmError::Assets(assets));
        }
        if volatility.len() != assets {
            let found = volatility.len();
            return Err(GbmError::Volatilities { found, assets });
        }
        for asset in 0..assets {
            if !drift[asset].is_finite() {
                return Err(GbmError::Drift(asset, drift[asset]));
            }
            if !(0.0..f64::INFINITY).contains(&volatility[asset]) {
                return Err(GbmError::Volatility(asset, volatility[asset]));
            }
        }
        let factor = CorrelationFactor::new(assets, correlation).map_err(GbmError::Correlation)?;
        Ok(Self {
            drift: drift.to_vec(),
            volatility: volatility.to_vec(),
            factor,
        })
    }

    /// How many assets there are.
    #[must_use]
    pub fn assets(&self) -> usize {
        self.drift.len()
    }

    /// The model at steps of `step_years`.
    #[must_use]
    pub fn stepper(&self, step_years: f64) -> GbmStepper<'_> {
        let root = step_years.sqrt();
        let growth = |(&drift, &volatility): (&f64, &f64)| {
            (drift - volatility * volatility / 2.0) * step_years
        };
        GbmStepper {
            model: self,
            growth: self
                .drift
                .iter()
                .zip(&self.volatility)
                .map(growth)
                .collect(),
            deviation: self.volatility.iter().map(|v| v * root).collect(),
        }
    }
}

/// A [`GeometricBrownianMotion`] at steps of one length.
#[derive(Debug, Clone)]
pub struct GbmStepper<'a> {
    model: &'a GeometricBrownianMotion,
    growth: Vec<f64>,
    deviation: Vec<f64>,
}

impl GbmStepper<'_> {
    /// Adds the log returns of one step of one path to `log_growth`, one number per asset.
    ///
    /// shocks : room for as many numbers.
    #[inline]
    pub fn advance(
        &self,
        draws: &Draws,
        path: u64,
        step: u32,
        shocks: &mut [f64],
        log_growth: &mut [f64],
    ) {
        let factor = &self.model.factor;
        for (shock, &asset) in shocks.iter_mut().zip(factor.pivots()) {
            // An asset's number fits: there are at most ASSETS_MAX.
            *shock = Normal::STANDARD.sample(draws, Address::new(path, step, asset as u16));
        }
        for (asset, sum) in log_growth.iter_mut().enumerate() {
            let mut correlated = 0.0;
            for (loading, shock) in factor.loadings(asset).iter().zip(&*shocks) {
                correlated += loading * shock;
            }
            *sum += self.growth[asset] + self.deviation[asset] * correlated;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: [f64; 4] = [1.0, 0.0, 0.0, 1.0];

    fn log_growth(model: &GeometricBrownianMotion, path: u64, steps: u32) -> Vec<f64> {
        let stepper = model.stepper(1.0 / f64::from(steps));
        let (mut shocks, mut sums) = (vec![0.0; model.assets()], vec![0.0; model.assets()]);
        for step in 0..steps {
            stepper.advance(&Draws::new(7), path, step, &mut shocks, &mut sums);
        }
        sums
    }

    #[test]
    fn log_returns_have_the_models_mean_variance_and_correlation() {
        let rho = 0.6;
        let model =
            GeometricBrownianMotion::new(&[0.1, -0.2], &[0.2, 0.5], &[1.0, rho, rho, 1.0]).unwrap();
        let n = 40_000;
        let samples: Vec<Vec<f64>> = (0..n).map(|path| log_growth(&model, path, 3)).collect();
        let mean = |f: &dyn Fn(&[f64]) -> f64| samples.iter().map(|s| f(s)).sum::<f64>() / n as f64;
        let expected = [0.1 - 0.02, -0.2 - 0.125];
        let root = (n as f64).sqrt();
        for (asset, sigma) in [(0, 0.2), (1, 0.5)] {
            let found = mean(&|s| s[asset]);
            assert!(
                (found - expected[asset]).abs() < 5.0 * sigma / root,
                "{found}"
            );
            let z_square = mean(&|s| ((s[asset] - expected[asset]) / sigma).powi(2));
            assert!(
                (z_square - 1.0).abs() < 5.0 * 2_f64.sqrt() / root,
                "{z_square}"
            );
        }
        let found = mean(&|s| (s[0] - expected[0]) / 0.2 * (s[1] - expected[1]) / 0.5);
        // The variance of a product of standard normals with correlation ρ is 1 + ρ².
        assert!(
            (found - rho).abs() < 5.0 * (1.0 + rho * rho).sqrt() / root,
            "{found}"
        );
    }

    #[test]
    fn assets_with_correlation_one_and_equal_parameters_stay_equal_to_the_bit() {
        let model = GeometricBrownianMotion::new(&[0.1; 2], &[0.3; 2], &[1.0; 4]).unwrap();
        for path in 0..100 {
            let sums = log_growth(&model, path, 4);
            assert_eq!(sums[0].to_bits(), sums[1].to_bits());
        }
    }

    #[test]
    fn without_volatility_prices_grow_by_the_drift_alone() {
        let model = GeometricBrownianMotion::new(&[0.25], &[0.0], &[1.0]).unwrap();
        assert_eq!(log_growth(&model, 3, 4), [0.25]);
    }

    #[test]
    fn bad_parameters_are_refused_with_the_value_and_the_inequality() {
        let refused = |drift: &[f64], volatility: &[f64], correlation: &[f64]| {
            let refused = GeometricBrownianMotion::new(drift, volatility, correlation);
            refused.unwrap_err().to_string()
        };
        assert_eq!(
            refused(&[], &[], &[]),
            "drift holds 0 assets: 1 <= assets <= 256 does not hold"
        );
        assert_eq!(
            refused(&[0.1; 2], &[0.1], &IDENTITY),
            "volatility holds 1 assets: it does not equal drift's 2"
        );
        assert_eq!(
            refused(&[0.1, f64::NAN], &[0.1; 2], &IDENTITY),
            "drift[1] = NaN: -infinity < drift < infinity does not hold"
        );
        for bad in [-0.1, f64::NAN, f64::INFINITY] {
            let sentence = refused(&[0.1; 2], &[bad, 0.1], &IDENTITY);
            assert!(sentence.starts_with(&format!("volatility[0] = {bad}: 0 <= volatility")));
        }
        assert_eq!(
            refused(&[0.1; 2], &[0.1; 2], &[1.0, -2.0, -2.0, 1.0]),
            "correlation[0][1] = -2: -1 <= correlation <= 1 does not hold"
        );
    }
}
