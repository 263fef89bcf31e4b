//! The result as Python reads it: figures by name.

use pyo3::prelude::*;
use std::collections::BTreeMap;
use stratvector_montecarlo_core::{PERCENTS, Summary};

type Figures = BTreeMap<String, f64>;

/// What all paths say.
#[pyclass(frozen, module = "stratvector.montecarlo.native")]
pub(crate) struct ScenarioResult {
    #[pyo3(get)]
    initial_value: f64,
    #[pyo3(get)]
    statistics: Figures,
    #[pyo3(get)]
    percentiles: Figures,
    #[pyo3(get)]
    max_drawdown_percentiles: Figures,
    #[pyo3(get)]
    simulations: u64,
    #[pyo3(get)]
    seed: u64,
}

impl ScenarioResult {
    pub(crate) fn new(summary: &Summary, simulations: u64, seed: u64) -> Self {
        let mut statistics = Figures::from([
            ("profit_mean".into(), summary.profit_mean),
            (
                "profit_standard_deviation".into(),
                summary.profit_standard_deviation,
            ),
            ("max_drawdown_mean".into(), summary.max_drawdown_mean),
        ]);
        for tail in &summary.tails {
            let name = percent_name(tail.level);
            statistics.insert(format!("var_{name}"), tail.value_at_risk);
            statistics.insert(format!("cvar_{name}"), tail.conditional_value_at_risk);
        }
        Self {
            initial_value: summary.initial_value,
            statistics,
            percentiles: by_percent(&summary.profit_percentiles),
            max_drawdown_percentiles: by_percent(&summary.max_drawdown_percentiles),
            simulations,
            seed,
        }
    }
}

#[pymethods]
impl ScenarioResult {
    fn __repr__(&self) -> String {
        let (paths, seed) = (self.simulations, self.seed);
        let told: Vec<String> = self
            .statistics
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!(
            "ScenarioResult({}, simulations={paths}, seed={seed})",
            told.join(", ")
        )
    }
}

/// `95` of 0.95 and `97_5` of 0.975: the level's own decimals, two places to the right.
fn percent_name(level: f64) -> String {
    let decimals = level.to_string();
    let digits = decimals.trim_start_matches("0.");
    let padded = format!("{digits:0<2}");
    let (whole, rest) = padded.split_at(2);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match rest {
        "" => whole.into(),
        rest => format!("{whole}_{rest}"),
    }
}

fn by_percent(values: &[f64]) -> Figures {
    let named = |(percent, &value): (&u8, &f64)| (format!("p{percent}"), value);
    PERCENTS.iter().zip(values).map(named).collect()
}
