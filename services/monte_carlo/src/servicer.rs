//! gRPC: decode, one run, encode.

use crate::admission::{Admission, Load, Permit};
use crate::contracts::monte_carlo_service_server::MonteCarloService;
use crate::contracts::run_scenario_response::Step;
use crate::contracts::{
    ListScenariosRequest, ListScenariosResponse, Percentile, RunScenarioRequest,
    RunScenarioResponse, ScenarioProgress, ScenarioResult, TailRisk,
};
use crate::coordinator::Coordinator;
use crate::metrics::OpenRun;
use crate::request::{invalid, simulation_of};
use crate::scenarios::scenarios;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use stratvector_montecarlo_core::{PERCENTS, Simulation, Summary};
use tokio::sync::mpsc::Sender;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};
use tracing::{info, warn};

/// Answers `MonteCarloService`.
#[derive(Clone)]
pub(crate) struct Servicer {
    coordinator: Coordinator,
    admission: Arc<Admission>,
    run_seconds_max: Duration,
    runs: watch::Sender<usize>,
    cut: watch::Receiver<bool>,
}

/// A run that was admitted: what it waits on, and how many of its paths are done.
struct Run {
    request: RunScenarioRequest,
    simulation: Simulation,
    turn: Turn,
    done: AtomicU64,
}

/// What a run waits on, and its place among the open ones.
struct Turn {
    permit: oneshot::Receiver<Permit>,
    open: OpenRun,
}

type Steps = Sender<Result<RunScenarioResponse, Status>>;

impl Servicer {
    /// `run_seconds_max` : from the request of a run to its result. cut : ends every run.
    pub(crate) fn new(
        coordinator: Coordinator,
        admission: Admission,
        run_seconds_max: Duration,
        cut: watch::Receiver<bool>,
    ) -> Self {
        Self {
            coordinator,
            admission: Arc::new(admission),
            run_seconds_max,
            runs: watch::Sender::new(0),
            cut,
        }
    }

    /// Returns when no run is under way or waits.
    pub(crate) async fn idle(&self) {
        let _ = self.runs.subscribe().wait_for(|runs| *runs == 0).await;
    }

    async fn run(self, run: Run, steps: Steps) {
        let begun = Instant::now();
        let (paths, done) = (run.simulation.simulations(), &run.done);
        let mut turn = run.turn;
        let work = self.result(&run.request, &run.simulation, &mut turn, done, &steps);
        let ended = tokio::select! {
            ended = work => Some(ended),
            () = steps.closed() => None,
            () = sleep(self.run_seconds_max) => {
                Some(Err(self.too_late(done.load(Ordering::Relaxed), paths)))
            }
        };
        let outcome = match &ended {
            None => "cancelled",
            Some(Ok(_)) => "result",
            Some(Err(status)) if status.code() == Code::InvalidArgument => "refused",
            Some(Err(status)) if status.code() == Code::DeadlineExceeded => "late",
            Some(Err(_)) => "unavailable",
        };
        let seconds = begun.elapsed().as_secs_f64();
        if let Some(Err(status)) = &ended {
            warn!(paths, seconds, outcome, reason = status.message(), "run");
        } else {
            info!(paths, seconds, outcome, "run");
        }
        drop(turn);
        self.coordinator.metrics.run_ended(outcome, begun.elapsed());
        if let Some(ended) = ended {
            let _ = steps
                .send(ended.map(|result| step(Step::Result(result))))
                .await;
        }
        self.runs.send_modify(|runs| *runs -= 1);
    }

    async fn result(
        &self,
        request: &RunScenarioRequest,
        simulation: &Simulation,
        turn: &mut Turn,
        done: &AtomicU64,
        steps: &Steps,
    ) -> Result<ScenarioResult, Status> {
        let total = simulation.simulations();
        // A client that reads slowly misses progress, not the result.
        let tell = |now| {
            done.store(now, Ordering::Relaxed);
            let progress = ScenarioProgress { done: now, total };
            let _ = steps.try_send(Ok(step(Step::Progress(progress))));
        };
        tell(0);
        let permit = (&mut turn.permit).await.map_err(defect)?;
        turn.open.begins(&self.coordinator.metrics);
        let cut = self.cut.clone();
        let gathering = self
            .coordinator
            .gather(request, simulation, &permit, tell, cut);
        let gathering = gathering.await.map_err(Status::unavailable)?;
        tell(total);
        let levels = request.levels.clone();
        let summary = tokio::task::spawn_blocking(move || gathering.summary(&levels)).await;
        let summary = summary.map_err(defect)?.map_err(invalid)?;
        Ok(result_of(&summary, simulation))
    }

    fn too_late(&self, done: u64, total: u64) -> Status {
        let seconds = self.run_seconds_max.as_secs_f64();
        Status::deadline_exceeded(format!(
            "the run has {done} of {total} paths after {seconds} s, run_seconds_max of the \
             service: ask for fewer simulations, time_steps or assets"
        ))
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
        let address = request.remote_addr();
        let client = address.map_or_else(String::new, |address| address.to_string());
        let request = request.into_inner();
        let admitted = simulation_of(&request).and_then(|simulation| {
            let assets = request.initial_prices.len();
            let load = Load::new(request.simulations, request.time_steps, assets);
            let permit = self.admission.enter(&client, load);
            Ok((simulation, permit.map_err(Status::resource_exhausted)?))
        });
        let (simulation, permit) = admitted.inspect_err(|_| {
            let metrics = &self.coordinator.metrics;
            metrics.run_ended("refused", Duration::ZERO);
        })?;
        let run = Run {
            request,
            simulation,
            turn: Turn {
                permit,
                open: self.coordinator.metrics.open_run(),
            },
            done: AtomicU64::new(0),
        };
        let (steps, stream) = mpsc::channel(4);
        self.runs.send_modify(|runs| *runs += 1);
        tokio::spawn(self.clone().run(run, steps));
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
