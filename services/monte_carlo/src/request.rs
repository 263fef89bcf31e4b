//! A request of a run becomes a simulation, or is refused with the inequality that it breaks.

use crate::contracts::RunScenarioRequest;
use crate::contracts::run_scenario_request::Scenario;
use std::fmt::Display;
use stratvector_montecarlo_core::{
    GeometricBrownianMotion, Portfolio, Simulation, SimulationError, TimeGrid, check_levels,
};
use tonic::Status;

/// The simulation that is asked for: `INVALID_ARGUMENT` or `NOT_FOUND` where there is none.
#[allow(clippy::result_large_err)] // tonic's
pub(crate) fn simulation_of(request: &RunScenarioRequest) -> Result<Simulation, Status> {
    let Some(Scenario::Gbm(gbm)) = &request.scenario else {
        return Err(Status::not_found(
            "the request names no scenario that there is; ListScenarios tells which there are",
        ));
    };
    // Cheap first: a request of a wrong size costs nothing.
    let grid = TimeGrid::new(request.time_steps, request.step_years).map_err(invalid)?;
    check_levels(&request.levels).map_err(invalid)?;
    let portfolio = Portfolio::new(&request.initial_prices, &request.quantities, request.cash);
    let portfolio = portfolio.map_err(invalid)?;
    let model = GeometricBrownianMotion::new(&gbm.drift, &gbm.volatility, &gbm.correlation);
    let model = model.map_err(invalid)?;
    let paths = request.simulations;
    Simulation::new(model, portfolio, grid, paths, request.seed)
        .map_err(|error: SimulationError| invalid(error))
}

/// `INVALID_ARGUMENT` with the sentence of an error.
pub(crate) fn invalid(error: impl Display) -> Status {
    Status::invalid_argument(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::GbmParameters;
    use tonic::Code;

    fn request() -> RunScenarioRequest {
        RunScenarioRequest {
            scenario: Some(Scenario::Gbm(GbmParameters {
                drift: vec![0.05],
                volatility: vec![0.2],
                correlation: vec![1.0],
            })),
            initial_prices: vec![100.0],
            quantities: vec![1.0],
            cash: 0.0,
            simulations: 10,
            time_steps: 2,
            step_years: 0.5,
            seed: 7,
            levels: vec![0.95],
        }
    }

    #[test]
    fn a_good_request_is_a_simulation() {
        assert_eq!(simulation_of(&request()).unwrap().simulations(), 10);
    }

    #[test]
    fn a_parameter_out_of_its_range_is_invalid_with_its_inequality() {
        let mut bad = request();
        bad.simulations = 0;
        let refused = simulation_of(&bad).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(
            refused.message(),
            "simulations = 0: 1 <= simulations <= 10000000 does not hold"
        );
    }

    #[test]
    fn a_scenario_that_there_is_not_is_not_found() {
        let mut bad = request();
        bad.scenario = None;
        assert_eq!(simulation_of(&bad).unwrap_err().code(), Code::NotFound);
    }
}
