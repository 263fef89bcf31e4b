//! Asks runs for their shards, on whatever replica they are, and computes them.
//!
//! ```text
//!   announced ─▶ Turns ─▶ each thread: asks the run whose turn it is ─▶ computes ─▶ answers
//!                                      └ the next one while it computes ┘
//! ```

use crate::bus::Bus;
use crate::contracts::{ComputeShardRequest, ComputeShardResponse, RunAnnouncement};
use crate::coordinator::{RUNS, SHARDS};
use crate::metrics::Metrics;
use crate::request::simulation_of;
use crate::turns::{Turn, Turns};
use async_nats::{Message, Request, Subscriber};
use futures_util::StreamExt;
use prost::Message as _;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stratvector_montecarlo_core::{ARITHMETIC, SHARD_PATHS_MAX, Shard};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tracing::warn;

/// How long a run may take to give a shard; then it is forgotten until it is announced again.
const GIFT_SECONDS: Duration = Duration::from_secs(2);
/// While shards take longer none is prepared: a question takes nothing beside them, and another
/// replica may be free sooner.
const PREPARED_SECONDS: Duration = Duration::from_millis(500);

/// The threads that compute, and where they hear of runs.
pub(crate) struct Worker {
    announcements: Subscriber,
    threads: usize,
    replica: Arc<Replica>,
}

/// What the threads share.
struct Replica {
    bus: Bus,
    pool: ThreadPool,
    metrics: Arc<Metrics>,
    instance: Arc<str>,
    turns: watch::Sender<Turns>,
}

/// A shard that this replica holds, and the run that gave it.
struct Held {
    turn: Turn,
    question: Message,
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
        let announcements = bus.client.subscribe(RUNS).await;
        let announcements = announcements.map_err(|error| format!("{RUNS}: {error}"))?;
        // Who says that it is ready hears of every run.
        let flushed = bus.client.flush().await;
        flushed.map_err(|error| format!("{RUNS}: {error}"))?;
        let replica = Replica {
            bus,
            pool,
            metrics,
            instance: instance.into(),
            turns: watch::Sender::default(),
        };
        Ok(Self {
            announcements,
            threads,
            replica: Arc::new(replica),
        })
    }

    /// Computes until `stop`; what is held then is still answered. An end without `stop` means that
    /// no question can be asked any more.
    pub(crate) async fn work(mut self, mut stop: watch::Receiver<bool>) {
        let mut threads = JoinSet::new();
        for _ in 0..self.threads {
            threads.spawn(Arc::clone(&self.replica).thread(stop.clone()));
        }
        loop {
            tokio::select! {
                () = stopped(&mut stop) => break,
                announcement = self.announcements.next() => match announcement {
                    Some(announcement) => self.replica.hear(&announcement),
                    // The connection's own task is gone, and with it every way to answer.
                    None => return,
                },
                Some(ended) = threads.join_next() => whole(ended),
            }
        }
        while let Some(ended) = threads.join_next().await {
            whole(ended);
        }
    }
}

/// A thread that panicked takes the worker with it.
fn whole(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

impl Replica {
    /// A run has shards to give; one of another arithmetic is not this replica's.
    fn hear(&self, announcement: &Message) {
        let Ok(told) = RunAnnouncement::decode(announcement.payload.clone()) else {
            return;
        };
        if told.arithmetic == ARITHMETIC && is_address(&told.address) {
            let hear = |turns: &mut Turns| turns.hear(told.client, &told.address);
            self.turns.send_modify(hear);
        }
    }

    /// Asks for shards and computes them, one after the other, until `stop`.
    async fn thread(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut prepared = None;
        let mut took = Duration::ZERO;
        loop {
            let held = match prepared.take() {
                Some(held) => held,
                None => match self.next(&mut stop, &Notify::new()).await {
                    Some(held) => held,
                    None => return,
                },
            };
            let (begun, computed) = (Instant::now(), Notify::new());
            let answer = async {
                self.answer(held).await;
                computed.notify_one();
            };
            if took < PREPARED_SECONDS {
                prepared = tokio::join!(answer, self.next(&mut stop, &computed)).1;
            } else {
                answer.await;
            }
            took = begun.elapsed();
        }
    }

    /// The next shard of any run, waited for until `stop` or `enough`; what was asked for is taken.
    async fn next(&self, stop: &mut watch::Receiver<bool>, enough: &Notify) -> Option<Held> {
        let mut turns = self.turns.subscribe();
        loop {
            if *stop.borrow() {
                return None;
            }
            turns.mark_unchanged();
            if let Some(turn) = self.quietly(Turns::next) {
                if let Some(held) = self.ask(turn).await {
                    return Some(held);
                }
                continue;
            }
            tokio::select! {
                () = stopped(stop) => return None,
                () = enough.notified() => return None,
                _ = turns.changed() => {}
            }
        }
    }

    /// Asks a run for its next shard; forgets it where there is none.
    async fn ask(&self, turn: Turn) -> Option<Held> {
        let request = Request::new().timeout(Some(GIFT_SECONDS));
        let address = turn.address.to_string();
        let answered = tokio::select! {
            answered = self.bus.client.send_request(address, request) => answered.ok(),
            () = self.bus.reconnected() => None,
        };
        match answered {
            Some(question) if question.reply.is_some() => Some(Held { turn, question }),
            // Nothing to give, gone, silent, or lost on the way: it will be announced again.
            _ => {
                self.quietly(|turns| turns.forget(&turn));
                None
            }
        }
    }

    /// Changes nothing that a waiting thread would wake up for.
    fn quietly<T>(&self, change: impl FnOnce(&mut Turns) -> T) -> T {
        let mut changed = None;
        self.turns.send_if_modified(|turns| {
            changed = Some(change(turns));
            false
        });
        changed.expect("a watch calls what it is given")
    }

    async fn answer(&self, held: Held) {
        let Some(reply) = held.question.reply else {
            return;
        };
        let (done, outcome) = oneshot::channel();
        let payload = held.question.payload;
        self.pool.spawn(move || drop(done.send(compute(&payload))));
        match outcome.await {
            Ok(Ok(mut response)) => {
                let paths = response.profits.len() as u64;
                self.metrics.paths_computed(paths);
                response.instance = self.instance.to_string();
                let response = response.encode_to_vec().into();
                // A lost answer is asked for again.
                let _ = self.bus.client.publish(reply, response).await;
            }
            // No answer: it will be overdue, and another replica computes it.
            Ok(Err(reason)) => {
                warn!(reason, "shard_refused");
                self.quietly(|turns| turns.refuse(&held.turn));
            }
            Err(_) => warn!(reason = "its computation panicked", "shard_refused"),
        }
    }
}

/// Whether it is the address of a run; anything else could be no subject at all.
fn is_address(told: &str) -> bool {
    let tokens = told.strip_prefix(SHARDS).and_then(|s| s.strip_prefix('.'));
    tokens.is_some_and(|tokens| {
        let is_token = |token: &str| {
            !token.is_empty() && token.chars().all(|letter| letter.is_ascii_alphanumeric())
        };
        tokens.split('.').all(is_token)
    })
}

/// Threads that outlive a question they panic over: without this, one shard that does so would end
/// one replica after the other, as each is given it in turn.
fn pool_of(threads: usize) -> Result<ThreadPool, String> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .panic_handler(|_| {}) // the question's answer is dropped, which `answer` tells
        .build();
    pool.map_err(|error| format!("workers: no {threads} threads: {error}"))
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

    #[test]
    fn only_the_address_of_a_run_is_asked() {
        assert!(is_address("montecarlo.shards.x7Aq.12"));
        for told in [
            "",
            "montecarlo.shards",
            "montecarlo.shards.",
            "montecarlo.shards.a..1",
            "montecarlo.shards.>",
            "montecarlo.shards.a b",
            "montecarlo.shardsa.b",
            "montecarlo.shards.a\r\nPUB x 0",
            "_INBOX.a.1",
        ] {
            assert!(!is_address(told), "{told}");
        }
    }
}
