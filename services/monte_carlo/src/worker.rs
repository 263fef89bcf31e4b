//! Computes shards for any replica that asks on `montecarlo.shards`.

use crate::bus::Bus;
use crate::contracts::{ComputeShardRequest, ComputeShardResponse};
use crate::metrics::Metrics;
use crate::request::simulation_of;
use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use prost::Message as _;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;
use stratvector_montecarlo_core::{ARITHMETIC, SHARD_PATHS_MAX, Shard};
use tokio::sync::{Semaphore, oneshot, watch};
use tracing::warn;

pub(crate) const SUBJECT: &str = "montecarlo.shards";
const QUEUE: &str = "monte_carlo";

/// The threads that compute, and where their questions come from.
pub(crate) struct Worker {
    bus: Bus,
    questions: Subscriber,
    threads: Arc<ThreadPool>,
    /// One permit per thread: what waits, waits on the connection.
    free: Arc<Semaphore>,
    width: u32,
    metrics: Arc<Metrics>,
    instance: Arc<str>,
}

impl Worker {
    /// Subscribes; nothing is computed before `work`. Refuses with a sentence.
    pub(crate) async fn new(
        bus: Bus,
        threads: usize,
        metrics: Arc<Metrics>,
        instance: &str,
    ) -> Result<Self, String> {
        let pool = pool_of(threads)?;
        let questions = bus.client.queue_subscribe(SUBJECT, QUEUE.into()).await;
        let questions = questions.map_err(|error| format!("{SUBJECT}: {error}"))?;
        // Who says that it is ready has asked for its part of the work.
        let flushed = bus.client.flush().await;
        flushed.map_err(|error| format!("{SUBJECT}: {error}"))?;
        Ok(Self {
            bus,
            questions,
            threads: Arc::new(pool),
            free: Arc::new(Semaphore::new(threads)),
            width: threads as u32,
            metrics,
            instance: instance.into(),
        })
    }

    /// Computes until `stop`; what is at hand then is still answered. An end without `stop` means
    /// that no question can come any more.
    pub(crate) async fn work(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let question = tokio::select! {
                () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
                question = self.questions.next() => question,
            };
            // The connection's own task is gone, and with it every way to answer.
            let Some(question) = question else { return };
            self.take(question).await;
        }
        // The server gives what comes from now on to another replica; what came already is ours.
        let _ = self.questions.unsubscribe().await;
        while let Some(question) = self.questions.next().await {
            self.take(question).await;
        }
        let _ = self.free.acquire_many(self.width).await;
    }

    /// Hands a question to the next thread that is free.
    async fn take(&self, question: Message) {
        let Ok(permit) = Arc::clone(&self.free).acquire_owned().await else {
            return;
        };
        let (bus, metrics) = (self.bus.clone(), Arc::clone(&self.metrics));
        let (pool, instance) = (Arc::clone(&self.threads), Arc::clone(&self.instance));
        tokio::spawn(async move {
            answer(&bus, &metrics, &pool, &instance, question).await;
            drop(permit);
        });
    }
}

/// Threads that outlive a question they panic over: without this, one shard that does so would end
/// one replica after the other, as each is asked in turn.
fn pool_of(threads: usize) -> Result<ThreadPool, String> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .panic_handler(|_| {}) // the question's answer is dropped, which `answer` tells
        .build();
    pool.map_err(|error| format!("workers: no {threads} threads: {error}"))
}

async fn answer(
    bus: &Bus,
    metrics: &Metrics,
    pool: &ThreadPool,
    instance: &str,
    question: Message,
) {
    let Some(reply) = question.reply else { return };
    let (done, outcome) = oneshot::channel();
    let payload = question.payload;
    pool.spawn(move || drop(done.send(compute(&payload))));
    match outcome.await {
        Ok(Ok(mut response)) => {
            metrics.paths_computed(response.profits.len() as u64);
            response.instance = instance.into();
            // A lost answer is asked for again.
            let _ = bus
                .client
                .publish(reply, response.encode_to_vec().into())
                .await;
        }
        // No answer: who asks will ask another replica.
        Ok(Err(reason)) => warn!(reason, "shard_refused"),
        Err(_) => warn!(reason = "its computation panicked", "shard_refused"),
    }
}

fn compute(payload: &[u8]) -> Result<ComputeShardResponse, String> {
    let request = ComputeShardRequest::decode(payload).map_err(|error| error.to_string())?;
    if request.arithmetic != ARITHMETIC {
        let theirs = request.arithmetic;
        return Err(format!(
            "arithmetic {theirs} is asked for, this is {ARITHMETIC}"
        ));
    }
    let run = request.run.unwrap_or_default();
    let simulation = simulation_of(&run).map_err(|refused| refused.message().to_string())?;
    let shard = Shard {
        first_path: request.first_path,
        paths: request.paths.into(),
    };
    let end = shard.first_path.checked_add(shard.paths);
    if shard.paths > SHARD_PATHS_MAX || end.is_none_or(|end| end > simulation.simulations()) {
        return Err(format!(
            "{shard:?} is no shard of {} paths",
            run.simulations
        ));
    }
    let outcome = simulation.compute(shard);
    Ok(ComputeShardResponse {
        profits: outcome.profits,
        max_drawdowns: outcome.max_drawdowns,
        instance: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::run_scenario_request::Scenario;
    use crate::contracts::{GbmParameters, RunScenarioRequest};

    fn question(first_path: u64, paths: u32, arithmetic: u32) -> Vec<u8> {
        let gbm = GbmParameters {
            drift: vec![0.05],
            volatility: vec![0.2],
            correlation: vec![1.0],
        };
        let run = RunScenarioRequest {
            scenario: Some(Scenario::Gbm(gbm)),
            initial_prices: vec![100.0],
            quantities: vec![1.0],
            simulations: 10,
            time_steps: 2,
            step_years: 0.5,
            ..RunScenarioRequest::default()
        };
        let question = ComputeShardRequest {
            run: Some(run),
            first_path,
            paths,
            arithmetic,
        };
        question.encode_to_vec()
    }

    #[tokio::test]
    async fn a_question_that_panics_is_dropped_and_the_next_one_computed() {
        let pool = pool_of(1).unwrap();
        let (done, outcome) = oneshot::channel::<u32>();
        pool.spawn(move || {
            let _kept_until_the_end = done;
            panic!("a planted defect");
        });
        assert!(outcome.await.is_err());
        let (done, outcome) = oneshot::channel();
        pool.spawn(move || {
            let _ = done.send(7);
        });
        assert_eq!(outcome.await, Ok(7));
    }

    #[test]
    fn a_shard_is_answered_with_a_number_per_path() {
        let answer = compute(&question(2, 8, ARITHMETIC)).unwrap();
        assert_eq!((answer.profits.len(), answer.max_drawdowns.len()), (8, 8));
    }

    #[test]
    fn what_is_no_shard_of_this_arithmetic_is_not_answered() {
        for (first_path, paths) in [(2, 9), (u64::MAX, 1), (0, 4097)] {
            let refused = compute(&question(first_path, paths, ARITHMETIC)).unwrap_err();
            assert!(refused.ends_with("is no shard of 10 paths"), "{refused}");
        }
        let refused = compute(&question(0, 1, ARITHMETIC + 1)).unwrap_err();
        assert!(
            refused.starts_with("arithmetic 2 is asked for"),
            "{refused}"
        );
        assert!(compute(b"noise").is_err());
    }
}
