//! A portfolio that is held without trading: units of assets, and cash.
//!
//! ```text
//!   value = cash + Σ quantity · price          summed in the assets' order
//! ```

use std::error::Error;
use std::fmt;

/// Units held of each asset, their prices at the start, and cash beside them.
///
/// ```
/// use stratvector_montecarlo_core::Portfolio;
///
/// let portfolio = Portfolio::new(&[100.0, 50.0], &[3.0, -2.0], 10.0)?;
/// assert_eq!(portfolio.initial_value(), 210.0);
/// # Ok::<(), stratvector_montecarlo_core::PortfolioError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Portfolio {
    initial_prices: Vec<f64>,
    quantities: Vec<f64>,
    cash: f64,
}

/// Why a [`Portfolio`] was refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PortfolioError {
    /// There is not one quantity per price.
    Quantities {
        /// How many there are.
        found: usize,
        /// How many prices there are.
        prices: usize,
    },
    /// `!(0 < price < infinity)`.
    Price(usize, f64),
    /// A quantity is NaN or infinite.
    Quantity(usize, f64),
    /// The cash is NaN or infinite.
    Cash(f64),
    /// The value at the start is too large for a number.
    Value(f64),
}

impl fmt::Display for PortfolioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Quantities { found, prices } => write!(
                f,
                "quantities holds {found} assets: it does not equal initial_prices' {prices}"
            ),
            Self::Price(asset, found) => write!(
                f,
                "initial_prices[{asset}] = {found}: 0 < initial_prices < infinity does not hold"
            ),
            Self::Quantity(asset, found) => write!(
                f,
                "quantities[{asset}] = {found}: -infinity < quantities < infinity does not hold"
            ),
            Self::Cash(found) => write!(
                f,
                "cash = {found}: -infinity < cash < infinity does not hold"
            ),
            Self::Value(found) => write!(
                f,
                "initial value = {found}: -infinity < initial value < infinity does not hold"
            ),
        }
    }
}

impl Error for PortfolioError {}

impl Portfolio {
    /// Of `quantities` at `initial_prices`, and `cash`, which stays as it is.
    ///
    /// # Errors
    /// [`PortfolioError`] unless sizes agree, `0 < price < infinity` and the rest is finite.
    pub fn new(
        initial_prices: &[f64],
        quantities: &[f64],
        cash: f64,
    ) -> Result<Self, PortfolioError> {
        let prices = initial_prices.len();
        if quantities.len() != prices {
            let found = quantities.len();
            return Err(PortfolioError::Quantities { found, prices });
        }
        for (asset, &price) in initial_prices.iter().enumerate() {
            if !(price > 0.0 && price < f64::INFINITY) {
                return Err(PortfolioError::Price(asset, price));
            }
            if !quantities[asset].is_finite() {
                return Err(PortfolioError::Quantity(asset, quantities[asset]));
            }
        }
        if !cash.is_finite() {
            return Err(PortfolioError::Cash(cash));
        }
        let portfolio = Self {
            initial_prices: initial_prices.to_vec(),
            quantities: quantities.to_vec(),
            cash,
        };
        let value = portfolio.initial_value();
        if !value.is_finite() {
            return Err(PortfolioError::Value(value));
        }
        Ok(portfolio)
    }

    /// How many assets there are.
    #[must_use]
    pub fn assets(&self) -> usize {
        self.quantities.len()
    }

    /// The value at the start.
    #[must_use]
    pub fn initial_value(&self) -> f64 {
        self.value(&vec![0.0; self.assets()])
    }

    /// The value when the logarithm of each price has grown by `log_growth`; infinite or NaN where a
    /// price is too large for a number.
    #[must_use]
    #[inline]
    pub fn value(&self, log_growth: &[f64]) -> f64 {
        let mut value = self.cash;
        for (asset, &growth) in log_growth.iter().enumerate() {
            // libm's exponential is the same code on every machine, the platform's is not.
            let price = self.initial_prices[asset] * libm::exp(growth);
            value += self.quantities[asset] * price;
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_cash_and_units_at_grown_prices() {
        let portfolio = Portfolio::new(&[100.0, 50.0], &[3.0, -2.0], 10.0).unwrap();
        let doubled = 2_f64.ln();
        let value = portfolio.value(&[doubled, 0.0]);
        assert!((value - (10.0 + 600.0 - 100.0)).abs() < 1e-9, "{value}");
    }

    #[test]
    fn bad_portfolios_are_refused_with_the_value_and_the_inequality() {
        let refused = |prices: &[f64], quantities: &[f64], cash| {
            let refused = Portfolio::new(prices, quantities, cash);
            refused.unwrap_err().to_string()
        };
        for price in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(
                refused(&[1.0, price], &[1.0, 1.0], 0.0),
                format!("initial_prices[1] = {price}: 0 < initial_prices < infinity does not hold")
            );
        }
        assert_eq!(
            refused(&[1.0], &[1.0, 1.0], 0.0),
            "quantities holds 2 assets: it does not equal initial_prices' 1"
        );
        assert_eq!(
            refused(&[1.0], &[f64::NAN], 0.0),
            "quantities[0] = NaN: -infinity < quantities < infinity does not hold"
        );
        assert_eq!(
            refused(&[1.0], &[1.0], f64::INFINITY),
            "cash = inf: -infinity < cash < infinity does not hold"
        );
        assert_eq!(
            refused(&[1e308], &[10.0], 0.0),
            "initial value = inf: -infinity < initial value < infinity does not hold"
        );
    }
}
