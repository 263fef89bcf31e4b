//! gRPC: decode, one run, encode.

use crate::contracts::monte_carlo_service_server::MonteCarloService;
use crate::contracts::run_scenario_response::Step;
use crate::contracts::{
    ListScenariosRequest, ListScenariosResponse, Percentile, RunScenarioRequest,
    RunScenarioResponse, ScenarioProgress, ScenarioResult, TailRisk,
};
use crate::coordinator::Coordinator;
use crate::request::{invalid, simulation_of};
use crate::scenarios::scenarios;
use std::sync::Arc;
use std::time::Instant;
use stratvector_montecarlo_core::{PERCENTS, SIMULATIONS_MAX, Simulation, Summary};
use tokio::sync::mpsc::Sender;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};
use tracing::{info, warn};

/// Paths that all runs of this process hold in memory, 16 bytes each; further runs wait.
const PATHS_MAX: u32 = 2 * SIMULATIONS_MAX as u32;
/// A small run counts as so many, which bounds how many there are.
const PATHS_MIN: u32 = PATHS_MAX / 32;

/// Answers `MonteCarloService`.
#[derive(Clone)]
pub(crate) struct Servicer {
    coordinator: Coordinator,
    room: Arc<Semaphore>,
    cut: watch::Receiver<bool>,
}

type Steps = Sender<Result<RunScenarioResponse, Status>>;

impl Servicer {
    /// cut : ends every run.
    pub(crate) fn new(coordinator: Coordinator, cut: watch::Receiver<bool>) -> Self {
        Self {
            coordinator,
            room: Arc::new(Semaphore::new(PATHS_MAX as usize)),
            cut,
        }
    }

    /// Returns when no run is under way.
    pub(crate) async fn idle(&self) {
        let _ = self.room.acquire_many(PATHS_MAX).await;
    }

    async fn run(self, request: RunScenarioRequest, simulation: Simulation, steps: Steps) {
        let begun = Instant::now();
        let run = self.result(&request, &simulation, &steps);
        let ended = tokio::select! {
            ended = run => Some(ended),
            () = steps.closed() => None,
        };
        let outcome = match &ended {
            None => "cancelled",
            Some(Ok(_)) => "result",
            Some(Err(status)) if status.code() == Code::InvalidArgument => "refused",
            Some(Err(_)) => "unavailable",
        };
        let (paths, seconds) = (simulation.simulations(), begun.elapsed().as_secs_f64());
        if let Some(Err(status)) = &ended {
            warn!(paths, seconds, outcome, reason = status.message(), "run");
        } else {
            info!(paths, seconds, outcome, "run");
        }
        self.coordinator.metrics.run_ended(outcome, begun.elapsed());
        if let Some(ended) = ended {
            let _ = steps
                .send(ended.map(|result| step(Step::Result(result))))
                .await;
        }
    }

    async fn result(
        &self,
        request: &RunScenarioRequest,
        simulation: &Simulation,
        steps: &Steps,
    ) -> Result<ScenarioResult, Status> {
        let total = simulation.simulations();
        // A client that reads slowly misses progress, not the result.
        let tell = |done| {
            let progress = ScenarioProgress { done, total };
            let _ = steps.try_send(Ok(step(Step::Progress(progress))));
        };
        tell(0);
        let room = (total as u32).max(PATHS_MIN);
        let _room = self.room.acquire_many(room).await.map_err(defect)?;
        let cut = self.cut.clone();
        let gathering = self.coordinator.gather(request, simulation, tell, cut);
        let gathering = gathering.await.map_err(Status::unavailable)?;
        tell(total);
        let levels = request.levels.clone();
        let summary = tokio::task::spawn_blocking(move || gathering.summary(&levels)).await;
        let summary = summary.map_err(defect)?.map_err(invalid)?;
        Ok(result_of(&summary, simulation))
    }
}

#[tonic::async_trait]
impl MonteCarloService for Servicer {
    type RunScenarioStream = ReceiverStream<Result<RunScenarioResponse, Status>>;

    async fn list_scenarios(
        &self,
        _: Request<ListScenariosRequest>,
    ) -> Result<Response<ListScenariosResponse>, Status> {
        let scenarios = scenarios();
        Ok(Response::new(ListScenariosResponse { scenarios }))
    }

    async fn run_scenario(
        &self,
        request: Request<RunScenarioRequest>,
    ) -> Result<Response<Self::RunScenarioStream>, Status> {
        let request = request.into_inner();
        let simulation = simulation_of(&request).inspect_err(|_| {
            let metrics = &self.coordinator.metrics;
            metrics.run_ended("refused", std::time::Duration::ZERO);
        })?;
        let (steps, stream) = mpsc::channel(4);
        tokio::spawn(self.clone().run(request, simulation, steps));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn defect(error: impl std::fmt::Display) -> Status {
    Status::internal(format!(
        "a defect of the service, its log tells it: {error}"
    ))
}

fn step(step: Step) -> RunScenarioResponse {
    RunScenarioResponse { step: Some(step) }
}

fn result_of(summary: &Summary, simulation: &Simulation) -> ScenarioResult {
    let tail = |tail: &stratvector_montecarlo_core::TailRisk| TailRisk {
        level: tail.level,
        value_at_risk: tail.value_at_risk,
        conditional_value_at_risk: tail.conditional_value_at_risk,
    };
    ScenarioResult {
        initial_value: summary.initial_value,
        tails: summary.tails.iter().map(tail).collect(),
        profit_mean: summary.profit_mean,
        profit_standard_deviation: summary.profit_standard_deviation,
        profit_percentiles: percentiles(&summary.profit_percentiles),
        max_drawdown_mean: summary.max_drawdown_mean,
        max_drawdown_percentiles: percentiles(&summary.max_drawdown_percentiles),
        simulations: simulation.simulations(),
        seed: simulation.seed(),
    }
}

fn percentiles(values: &[f64]) -> Vec<Percentile> {
    let percentile = |(&percent, &value): (&u8, &f64)| Percentile {
        percent: percent.into(),
        value,
    };
    PERCENTS.iter().zip(values).map(percentile).collect()
}
