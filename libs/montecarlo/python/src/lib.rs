//! `stratvector.montecarlo.native`: Python's way into the core; no arithmetic of its own.

mod model;
mod result;
mod run;

use pyo3::prelude::*;

#[pymodule]
mod native {
    #[pymodule_export]
    use super::model::GeometricBrownianMotion;
    #[pymodule_export]
    use super::result::ScenarioResult;
}
