//! The class that a user makes: a model of prices.

use crate::result::ScenarioResult;
use crate::run::run;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::fmt::Display;
use stratvector_montecarlo_core as core;

/// Correlated geometric Brownian motion, per year.
#[pyclass(frozen, module = "stratvector.montecarlo.native")]
pub(crate) struct GeometricBrownianMotion {
    model: core::GeometricBrownianMotion,
}

#[pymethods]
impl GeometricBrownianMotion {
    #[new]
    #[pyo3(signature = (drift, volatility, correlation=None))]
    #[allow(clippy::needless_pass_by_value)] // Python gives the lists away
    fn new(
        drift: Vec<f64>,
        volatility: Vec<f64>,
        correlation: Option<Vec<Vec<f64>>>,
    ) -> PyResult<Self> {
        let assets = drift.len();
        let rows = correlation.unwrap_or_else(|| independent(assets));
        if let Some(row) = rows.iter().position(|row| row.len() != rows.len()) {
            let (found, rows) = (rows[row].len(), rows.len());
            return Err(PyValueError::new_err(format!(
                "correlation[{row}] holds {found} entries: it does not equal the {rows} rows"
            )));
        }
        let model = core::GeometricBrownianMotion::new(&drift, &volatility, &rows.concat());
        Ok(Self {
            model: model.map_err(refusal)?,
        })
    }

    /// Simulate a portfolio that is held without trading, and sum its paths up.
    #[pyo3(signature = (
        initial_prices, quantities=None, cash=0.0, num_simulations=10_000, time_steps=252,
        step_years=1.0/252.0, seed=0, levels=vec![0.95, 0.99], threads=None,
    ))]
    #[allow(clippy::too_many_arguments)] // Python's keywords
    #[allow(clippy::needless_pass_by_value)]
    fn run(
        &self,
        py: Python<'_>,
        initial_prices: Vec<f64>,
        quantities: Option<Vec<f64>>,
        cash: f64,
        num_simulations: i128,
        time_steps: i128,
        step_years: f64,
        seed: i128,
        levels: Vec<f64>,
        threads: Option<i128>,
    ) -> PyResult<ScenarioResult> {
        let quantities = quantities.unwrap_or_else(|| vec![1.0; initial_prices.len()]);
        let portfolio =
            core::Portfolio::new(&initial_prices, &quantities, cash).map_err(refusal)?;
        let steps = u32::try_from(time_steps)
            .map_err(|_| refusal(core::SimulationError::TimeSteps(time_steps)))?;
        let grid = core::TimeGrid::new(steps, step_years).map_err(refusal)?;
        let paths = u64::try_from(num_simulations)
            .map_err(|_| refusal(core::SimulationError::Simulations(num_simulations)))?;
        let seed = u64::try_from(seed).map_err(|_| {
            PyValueError::new_err(format!("seed = {seed}: 0 <= seed < 2**64 does not hold"))
        })?;
        core::check_levels(&levels).map_err(refusal)?;
        let simulation = core::Simulation::new(self.model.clone(), portfolio, grid, paths, seed)
            .map_err(refusal)?;
        let summary = run(py, &simulation, &levels, threads_of(threads)?)?;
        Ok(ScenarioResult::new(&summary, paths, seed))
    }
}

/// One sentence to Python.
pub(crate) fn refusal(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn independent(assets: usize) -> Vec<Vec<f64>> {
    let entry = |row, column| if row == column { 1.0 } else { 0.0 };
    (0..assets)
        .map(|row| (0..assets).map(|column| entry(row, column)).collect())
        .collect()
}

fn threads_of(told: Option<i128>) -> PyResult<usize> {
    match told {
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        Some(found) => usize::try_from(found)
            .ok()
            .filter(|threads| (1..=1024).contains(threads))
            .ok_or_else(|| {
                PyValueError::new_err(format!(
                    "threads = {found}: 1 <= threads <= 1024 does not hold"
                ))
            }),
    }
}
