//! Parts become a whole: shards are put in the paths' order, and summed up when all are there.

use crate::conditional_value_at_risk::conditional_value_at_risk;
use crate::mean::{mean, standard_deviation};
use crate::quantile::quantile;
use crate::simulation::{Shard, ShardOutcome, Simulation};
use crate::value_at_risk::value_at_risk;
use std::error::Error;
use std::fmt;

/// Which percentiles a [`Summary`] has.
pub const PERCENTS: [u8; 9] = [1, 5, 10, 25, 50, 75, 90, 95, 99];
/// Most levels of one summary.
pub const LEVELS_MAX: usize = 100;

/// The outcomes of a simulation while they come in, in any order.
#[derive(Debug)]
pub struct Gathering {
    initial_value: f64,
    profits: Vec<f64>,
    max_drawdowns: Vec<f64>,
    shards: Vec<Shard>,
    missing: Vec<bool>,
    done: u64,
}

/// What all paths say.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The portfolio's value at the start.
    pub initial_value: f64,
    /// One record per level, in their order.
    pub tails: Vec<TailRisk>,
    /// Mean of the profit.
    pub profit_mean: f64,
    /// Standard deviation of the profit (n − 1); NaN for a single path.
    pub profit_standard_deviation: f64,
    /// Profit at each of [`PERCENTS`].
    pub profit_percentiles: Vec<f64>,
    /// Mean of the deepest falls; NaN where one is.
    pub max_drawdown_mean: f64,
    /// Deepest fall at each of [`PERCENTS`]; NaN where one is.
    pub max_drawdown_percentiles: Vec<f64>,
}

/// The tail beyond one level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TailRisk {
    /// The level.
    pub level: f64,
    /// See [`value_at_risk`].
    pub value_at_risk: f64,
    /// See [`conditional_value_at_risk`].
    pub conditional_value_at_risk: f64,
}

/// Why there is no [`Summary`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SummaryError {
    /// `!(0 < level < 1)`.
    Level(usize, f64),
    /// There are more levels than [`LEVELS_MAX`].
    Levels(usize),
    /// A path's profit is too large for a number.
    Profit(usize, f64),
    /// Shards are missing.
    Incomplete(u64),
}

impl fmt::Display for SummaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Level(at, found) => {
                write!(f, "levels[{at}] = {found}: 0 < levels < 1 does not hold")
            }
            Self::Levels(found) => write!(
                f,
                "levels holds {found} levels: levels <= {LEVELS_MAX} does not hold"
            ),
            Self::Profit(path, found) => write!(
                f,
                "profit of path {path} = {found}: -infinity < profit < infinity does not hold, \
                 the drift, the volatility or the length of a step is too large"
            ),
            Self::Incomplete(done) => write!(f, "only {done} paths are there"),
        }
    }
}

impl Error for SummaryError {}

/// Refuses levels that no summary can have.
///
/// # Errors
/// [`SummaryError`] unless `0 < level < 1` and there are at most [`LEVELS_MAX`].
pub fn check_levels(levels: &[f64]) -> Result<(), SummaryError> {
    if levels.len() > LEVELS_MAX {
        return Err(SummaryError::Levels(levels.len()));
    }
    let bad = |level: &f64| !(*level > 0.0 && *level < 1.0);
    match levels.iter().position(bad) {
        Some(at) => Err(SummaryError::Level(at, levels[at])),
        None => Ok(()),
    }
}

impl Gathering {
    /// For the outcomes of `simulation`, none of which is there: 16 bytes per path.
    #[must_use]
    pub fn new(simulation: &Simulation) -> Self {
        let shards = simulation.shards();
        // Shards are lists in memory, so the number of their paths is an index.
        let paths = simulation.simulations() as usize;
        Self {
            initial_value: simulation.initial_value(),
            profits: vec![0.0; paths],
            max_drawdowns: vec![0.0; paths],
            missing: vec![true; shards.len()],
            shards,
            done: 0,
        }
    }

    /// The shards of the simulation.
    #[must_use]
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Number of paths that are there.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Whether all are.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.done == self.profits.len() as u64
    }

    /// Puts the outcome of shard number `n` in its place; says whether it was missing and fits.
    pub fn put(&mut self, n: usize, outcome: &ShardOutcome) -> bool {
        let Shard { first_path, paths } = self.shards[n];
        let (first, length) = (first_path as usize, paths as usize);
        let fits = outcome.profits.len() == length && outcome.max_drawdowns.len() == length;
        if !(self.missing[n] && fits) {
            return false;
        }
        self.profits[first..first + length].copy_from_slice(&outcome.profits);
        self.max_drawdowns[first..first + length].copy_from_slice(&outcome.max_drawdowns);
        self.missing[n] = false;
        self.done += paths;
        true
    }

    /// What all paths say. The same outcomes give the same bits, in whatever order they came.
    ///
    /// # Errors
    /// [`SummaryError`] unless all shards are there, [`check_levels`] finds the levels good and
    /// all profits are finite.
    pub fn summary(mut self, levels: &[f64]) -> Result<Summary, SummaryError> {
        check_levels(levels)?;
        if !self.is_complete() {
            return Err(SummaryError::Incomplete(self.done));
        }
        if let Some(path) = self.profits.iter().position(|profit| !profit.is_finite()) {
            return Err(SummaryError::Profit(path, self.profits[path]));
        }
        let (profit_mean, max_drawdown_mean) = (mean(&self.profits), mean(&self.max_drawdowns));
        let profit_standard_deviation = standard_deviation(&self.profits);
        self.profits.sort_unstable_by(f64::total_cmp);
        self.max_drawdowns.sort_unstable_by(f64::total_cmp);
        let tail = |&level: &f64| TailRisk {
            level,
            value_at_risk: value_at_risk(&self.profits, level),
            conditional_value_at_risk: conditional_value_at_risk(&self.profits, level),
        };
        let undefined = max_drawdown_mean.is_nan();
        Ok(Summary {
            initial_value: self.initial_value,
            tails: levels.iter().map(tail).collect(),
            profit_mean,
            profit_standard_deviation,
            profit_percentiles: percentiles(&self.profits),
            max_drawdown_mean,
            max_drawdown_percentiles: if undefined {
                vec![f64::NAN; PERCENTS.len()]
            } else {
                percentiles(&self.max_drawdowns)
            },
        })
    }
}

fn percentiles(sorted: &[f64]) -> Vec<f64> {
    let at = |&percent: &u8| quantile(sorted, f64::from(percent) / 100.0);
    PERCENTS.iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Address, Draws};
    use crate::gbm::GeometricBrownianMotion;
    use crate::portfolio::Portfolio;
    use crate::simulation::TimeGrid;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LEVELS: [f64; 2] = [0.95, 0.99];

    fn simulation(simulations: u64, quantities: &[f64; 2], drift: f64) -> Simulation {
        let rho = [1.0, 0.5, 0.5, 1.0];
        let model = GeometricBrownianMotion::new(&[drift, 0.1], &[0.2, 0.4], &rho).unwrap();
        let portfolio = Portfolio::new(&[100.0, 50.0], quantities, 10.0).unwrap();
        Simulation::new(
            model,
            portfolio,
            TimeGrid::new(3, 0.25).unwrap(),
            simulations,
            7,
        )
        .unwrap()
    }

    /// Every number of a summary as bits, so that NaN equals NaN and nothing is rounded.
    fn bits(summary: &Summary) -> Vec<u64> {
        let tails = summary.tails.iter().flat_map(|tail| {
            [
                tail.level,
                tail.value_at_risk,
                tail.conditional_value_at_risk,
            ]
        });
        tails
            .chain(summary.profit_percentiles.iter().copied())
            .chain(summary.max_drawdown_percentiles.iter().copied())
            .chain([
                summary.initial_value,
                summary.profit_mean,
                summary.profit_standard_deviation,
                summary.max_drawdown_mean,
            ])
            .map(f64::to_bits)
            .collect()
    }

    fn on_threads(simulation: &Simulation, threads: usize) -> Summary {
        let (gathering, next) = (Mutex::new(Gathering::new(simulation)), AtomicUsize::new(0));
        let shards = simulation.shards();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(&shard) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let n = shards.iter().position(|&other| other == shard).unwrap();
                        let outcome = simulation.compute(shard);
                        assert!(gathering.lock().unwrap().put(n, &outcome));
                    }
                });
            }
        });
        gathering.into_inner().unwrap().summary(&LEVELS).unwrap()
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let simulation = simulation(40_000, &[2.0, -1.0], 0.05);
        let alone = bits(&on_threads(&simulation, 1));
        for threads in [2, 3, 8] {
            assert_eq!(bits(&on_threads(&simulation, threads)), alone);
        }
    }

    #[test]
    fn shuffled_and_repeated_shards_give_the_same_bits() {
        let simulation = simulation(40_000, &[2.0, -1.0], 0.05);
        let alone = bits(&on_threads(&simulation, 1));
        for shuffle in 0..5 {
            let mut gathering = Gathering::new(&simulation);
            let mut order: Vec<usize> = (0..gathering.shards().len()).collect();
            let draws = Draws::new(shuffle);
            order.sort_by_key(|&n| draws.bits(Address::new(n as u64, 0, 0)));
            for &n in order.iter().chain(&order[..3]) {
                let before = gathering.done();
                let outcome = simulation.compute(gathering.shards()[n]);
                assert_eq!(gathering.put(n, &outcome), gathering.done() > before);
            }
            assert_eq!(bits(&gathering.summary(&LEVELS).unwrap()), alone);
        }
    }

    #[test]
    fn the_figures_are_pinned_to_the_bit() {
        let summary = on_threads(&simulation(10_000, &[2.0, -1.0], 0.05), 1);
        let pinned = [
            summary.tails[0].value_at_risk,
            summary.profit_mean,
            summary.max_drawdown_mean,
        ];
        let expected: [f64; 3] = [
            44.643_297_566_832_544,
            4.017_213_522_754_455,
            -0.112_971_824_252_437_72,
        ];
        assert_eq!(pinned.map(f64::to_bits), expected.map(f64::to_bits));
    }

    #[test]
    fn there_is_no_summary_of_a_part() {
        let simulation = simulation(5_000, &[1.0, 1.0], 0.05);
        let mut gathering = Gathering::new(&simulation);
        let first = simulation.compute(gathering.shards()[0]);
        assert!(!gathering.put(1, &first), "a shard of another size");
        assert!(gathering.put(0, &first));
        let refused = gathering.summary(&LEVELS).unwrap_err();
        assert_eq!(refused, SummaryError::Incomplete(4096));
    }

    #[test]
    fn a_debt_leaves_drawdown_undefined_and_profit_defined() {
        let summary = on_threads(&simulation(100, &[-10.0, 0.0], 0.05), 1);
        assert!(summary.max_drawdown_mean.is_nan());
        assert!(summary.max_drawdown_percentiles.iter().all(|x| x.is_nan()));
        assert!(summary.profit_percentiles.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn bad_levels_and_endless_profits_are_refused() {
        for level in [0.0, 1.0, -0.5, f64::NAN] {
            let sentence = format!("levels[1] = {level}: 0 < levels < 1 does not hold");
            assert_eq!(
                check_levels(&[0.5, level]).unwrap_err().to_string(),
                sentence
            );
        }
        assert_eq!(
            check_levels(&[0.5; 101]).unwrap_err().to_string(),
            "levels holds 101 levels: levels <= 100 does not hold"
        );
        let simulation = simulation(1, &[1.0, 1.0], 1e6);
        let mut gathering = Gathering::new(&simulation);
        gathering.put(0, &simulation.compute(simulation.shards()[0]));
        let refused = gathering.summary(&LEVELS).unwrap_err().to_string();
        assert!(refused.starts_with("profit of path 0 = inf: "), "{refused}");
    }
}
