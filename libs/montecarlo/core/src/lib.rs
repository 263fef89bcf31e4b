//! Monte Carlo whose numbers do not depend on who computes them, or when.
//!
//! A generator with a state hands out numbers in the order in which they are asked for; split over
//! threads or machines, a simulation changes with the split. Here every draw has an [`Address`]
//! (path, step, asset) and is a function of seed and address alone, so that any worker can compute
//! any part, again or in any order, and the parts merge to the same bits.
//!
//! ```
//! use stratvector_montecarlo_core::{Address, Draws, Normal};
//!
//! let draws = Draws::new(7);
//! let daily_return = Normal::new(0.0005, 0.01)?;
//! let first = daily_return.sample(&draws, Address::new(0, 0, 0));
//! let again = daily_return.sample(&draws, Address::new(0, 0, 0));
//! assert_eq!(first.to_bits(), again.to_bits());
//! # Ok::<(), stratvector_montecarlo_core::NormalError>(())
//! ```
//!
//! On them stand a model of prices, a portfolio, and figures of risk: a [`Simulation`] is cut into
//! shards, which anybody computes, and a [`Gathering`] puts them together.
//!
//! Only IEEE 754 operations and the `libm` crate's logarithm and exponential are used: the bits are
//! equal on every machine.

mod conditional_value_at_risk;
mod correlation;
mod drawdown;
mod draws;
mod gathering;
mod gbm;
mod mean;
mod normal;
mod philox;
mod portfolio;
mod quantile;
mod simulation;
mod uniform;
mod value_at_risk;

pub use conditional_value_at_risk::conditional_value_at_risk;
pub use correlation::{CorrelationError, CorrelationFactor, TOLERANCE};
pub use drawdown::Drawdown;
pub use draws::{Address, Draws};
pub use gathering::{
    Gathering, LEVELS_MAX, PERCENTS, Summary, SummaryError, TailRisk, check_levels,
};
pub use gbm::{ASSETS_MAX, GbmError, GbmStepper, GeometricBrownianMotion};
pub use mean::{mean, standard_deviation};
pub use normal::{Normal, NormalError};
pub use philox::philox4x32_10;
pub use portfolio::{Portfolio, PortfolioError};
pub use quantile::{quantile, quantile_rank};
pub use simulation::{
    ARITHMETIC, SHARD_PATHS_MAX, SIMULATIONS_MAX, Shard, ShardOutcome, Simulation, SimulationError,
    TIME_STEPS_MAX, TimeGrid,
};
pub use uniform::{Uniform, UniformError};
pub use value_at_risk::value_at_risk;
