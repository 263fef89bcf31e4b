//! A whole simulation: what is simulated, how often, and in which parts.
//!
//! ```text
//!   path   0 ──────── 4096 ─────── 8192 ─ … ─ n        a part is a function of the simulation and
//!          └ shard 0 ─┘└ shard 1 ─┘                    of its place: anybody may compute it
//! ```

use crate::drawdown::Drawdown;
use crate::draws::Draws;
use crate::gbm::GeometricBrownianMotion;
use crate::portfolio::Portfolio;
use std::error::Error;
use std::fmt;

/// Most paths of one simulation.
pub const SIMULATIONS_MAX: u64 = 10_000_000;
/// Most steps of a path.
pub const TIME_STEPS_MAX: u32 = 100_000;
/// Most paths of a shard.
pub const SHARD_PATHS_MAX: u64 = 4_096;
/// Counts the changes that gave other bits; parts of different counts must not be merged.
pub const ARITHMETIC: u32 = 1;
/// Draws that a shard of long paths has about: some hundredths of a second of work.
const SHARD_DRAWS: u64 = 1 << 19;
/// With so many assets their correlation costs as much as their draws.
const ASSETS_PER_DRAW: u64 = 32;

/// A model's prices, a portfolio and a grid of times, drawn under one seed.
///
/// ```
/// use stratvector_montecarlo_core::{GeometricBrownianMotion, Portfolio, Simulation, TimeGrid};
///
/// let model = GeometricBrownianMotion::new(&[0.05], &[0.2], &[1.0])?;
/// let portfolio = Portfolio::new(&[100.0], &[1.0], 0.0)?;
/// let grid = TimeGrid::new(12, 1.0 / 12.0)?;
/// let simulation = Simulation::new(model, portfolio, grid, 1_000, 7)?;
/// let all = simulation.compute(simulation.shards()[0]);
/// assert_eq!(all.profits.len(), 1_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    model: GeometricBrownianMotion,
    portfolio: Portfolio,
    grid: TimeGrid,
    simulations: u64,
    seed: u64,
}

/// The times at which a path is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeGrid {
    steps: u32,
    step_years: f64,
}

/// Neighbouring paths of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    /// Number of the first path.
    pub first_path: u64,
    /// Number of paths.
    pub paths: u64,
}

/// What the paths of a shard came to, in their order.
#[derive(Debug, Clone, Default)]
pub struct ShardOutcome {
    /// Value at the end less that at the start; not finite where a price was too large for a number.
    pub profits: Vec<f64>,
    /// The deepest fall, see [`Drawdown`].
    pub max_drawdowns: Vec<f64>,
}

/// Why a [`Simulation`] or its [`TimeGrid`] was refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SimulationError {
    /// `!(1 <= simulations <= SIMULATIONS_MAX)`.
    Simulations(i128),
    /// `!(1 <= time_steps <= TIME_STEPS_MAX)`.
    TimeSteps(i128),
    /// `!(0 < step_years < infinity)`.
    StepYears(f64),
    /// The portfolio does not hold the model's assets.
    Assets {
        /// How many prices it has.
        prices: usize,
        /// How many assets the model has.
        assets: usize,
    },
}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Simulations(found) => write!(
                f,
                "simulations = {found}: 1 <= simulations <= {SIMULATIONS_MAX} does not hold"
            ),
            Self::TimeSteps(found) => write!(
                f,
                "time_steps = {found}: 1 <= time_steps <= {TIME_STEPS_MAX} does not hold"
            ),
            Self::StepYears(found) => write!(
                f,
                "step_years = {found}: 0 < step_years < infinity does not hold"
            ),
            Self::Assets { prices, assets } => write!(
                f,
                "initial_prices holds {prices} assets: it does not equal drift's {assets}"
            ),
        }
    }
}

impl Error for SimulationError {}

impl TimeGrid {
    /// `steps` of `step_years` each.
    ///
    /// # Errors
    /// [`SimulationError`] unless `1 <= time_steps <= TIME_STEPS_MAX` and `0 < step_years < infinity`.
    pub fn new(steps: u32, step_years: f64) -> Result<Self, SimulationError> {
        if !(1..=TIME_STEPS_MAX).contains(&steps) {
            return Err(SimulationError::TimeSteps(steps.into()));
        }
        if !(step_years > 0.0 && step_years < f64::INFINITY) {
            return Err(SimulationError::StepYears(step_years));
        }
        Ok(Self { steps, step_years })
    }
}

impl Simulation {
    /// `simulations` paths of `portfolio` under `model`.
    ///
    /// # Errors
    /// [`SimulationError`] unless `1 <= simulations <= SIMULATIONS_MAX` and the assets agree.
    pub fn new(
        model: GeometricBrownianMotion,
        portfolio: Portfolio,
        grid: TimeGrid,
        simulations: u64,
        seed: u64,
    ) -> Result<Self, SimulationError> {
        let (prices, assets) = (portfolio.assets(), model.assets());
        if prices != assets {
            return Err(SimulationError::Assets { prices, assets });
        }
        if !(1..=SIMULATIONS_MAX).contains(&simulations) {
            return Err(SimulationError::Simulations(simulations.into()));
        }
        Ok(Self {
            model,
            portfolio,
            grid,
            simulations,
            seed,
        })
    }

    /// Number of paths.
    #[must_use]
    pub fn simulations(&self) -> u64 {
        self.simulations
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The portfolio's value at the start.
    #[must_use]
    pub fn initial_value(&self) -> f64 {
        self.portfolio.initial_value()
    }

    /// The parts, in the paths' order: [`SHARD_PATHS_MAX`] paths each, fewer where paths are long.
    #[must_use]
    pub fn shards(&self) -> Vec<Shard> {
        let assets = self.model.assets() as u64;
        let draws_per_step = assets * (ASSETS_PER_DRAW + assets) / ASSETS_PER_DRAW;
        let draws_per_path = u64::from(self.grid.steps) * draws_per_step;
        let paths = (SHARD_DRAWS / draws_per_path).clamp(1, SHARD_PATHS_MAX);
        (0..self.simulations.div_ceil(paths))
            .map(|n| Shard {
                first_path: n * paths,
                paths: paths.min(self.simulations - n * paths),
            })
            .collect()
    }

    /// What the paths of `shard` come to.
    #[must_use]
    pub fn compute(&self, shard: Shard) -> ShardOutcome {
        let stepper = self.model.stepper(self.grid.step_years);
        let draws = Draws::new(self.seed);
        let assets = self.model.assets();
        let (mut shocks, mut log_growth) = (vec![0.0; assets], vec![0.0; assets]);
        let start = self.portfolio.initial_value();
        let mut outcome = ShardOutcome::default();
        for path in shard.first_path..shard.first_path + shard.paths {
            log_growth.fill(0.0);
            let mut value = start;
            let mut drawdown = Drawdown::starting_at(value);
            for step in 0..self.grid.steps {
                stepper.advance(&draws, path, step, &mut shocks, &mut log_growth);
                value = self.portfolio.value(&log_growth);
                drawdown.follow(value);
            }
            outcome.profits.push(value - start);
            outcome.max_drawdowns.push(drawdown.deepest());
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulation(simulations: u64, steps: u32) -> Simulation {
        let rho = [1.0, 0.5, 0.5, 1.0];
        let model = GeometricBrownianMotion::new(&[0.05, 0.1], &[0.2, 0.4], &rho).unwrap();
        let portfolio = Portfolio::new(&[100.0, 50.0], &[2.0, -1.0], 10.0).unwrap();
        let grid = TimeGrid::new(steps, 0.01).unwrap();
        Simulation::new(model, portfolio, grid, simulations, 7).unwrap()
    }

    #[test]
    fn the_shards_are_all_paths_once_and_in_order() {
        for (simulations, steps) in [(1, 1), (4096, 3), (4097, 252), (10, 100_000)] {
            let mut next = 0;
            for shard in simulation(simulations, steps).shards() {
                assert_eq!(shard.first_path, next);
                assert!((1..=SHARD_PATHS_MAX).contains(&shard.paths));
                next += shard.paths;
            }
            assert_eq!(next, simulations);
        }
    }

    #[test]
    fn a_path_is_the_same_in_every_shard_that_holds_it() {
        let simulation = simulation(100, 5);
        let compute = |first_path, paths| simulation.compute(Shard { first_path, paths });
        let whole = compute(0, 100);
        for path in [0, 41, 99] {
            let alone = compute(path, 1);
            let at = usize::try_from(path).unwrap();
            assert_eq!(alone.profits[0].to_bits(), whole.profits[at].to_bits());
            assert_eq!(
                alone.max_drawdowns[0].to_bits(),
                whole.max_drawdowns[at].to_bits()
            );
        }
    }

    #[test]
    fn bad_sizes_are_refused_with_the_value_and_the_inequality() {
        let (model, portfolio) = (simulation(1, 1).model, simulation(1, 1).portfolio);
        let grid = TimeGrid::new(1, 1.0).unwrap();
        for simulations in [0, 10_000_001] {
            let refused = Simulation::new(model.clone(), portfolio.clone(), grid, simulations, 0)
                .unwrap_err();
            let sentence =
                format!("simulations = {simulations}: 1 <= simulations <= 10000000 does not hold");
            assert_eq!(refused.to_string(), sentence);
        }
        for steps in [0, 100_001] {
            let refused = TimeGrid::new(steps, 1.0).unwrap_err();
            let sentence = format!("time_steps = {steps}: 1 <= time_steps <= 100000 does not hold");
            assert_eq!(refused.to_string(), sentence);
        }
        for years in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refused = TimeGrid::new(1, years).unwrap_err();
            let sentence = format!("step_years = {years}: 0 < step_years < infinity does not hold");
            assert_eq!(refused.to_string(), sentence);
        }
        let one = Portfolio::new(&[1.0], &[1.0], 0.0).unwrap();
        let refused = Simulation::new(model, one, grid, 1, 0).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "initial_prices holds 1 assets: it does not equal drift's 2"
        );
    }
}
