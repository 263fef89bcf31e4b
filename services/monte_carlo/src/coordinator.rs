//! Runs of this process: each is announced to all replicas, gives its shards to those that ask, and
//! puts what they come to in order.
//!
//! ```text
//!   run ─ announced ─▶ all replicas
//!    ▲ │                   │
//!    │ └─── next shard ◀───┘ whoever is free asks
//!    └──── its answer ◀──────  in any order
//! ```
//!
//! One subscription serves all runs of the process: a question to a run that has ended is answered,
//! and only those to a process that has ended are not.

use crate::admission::Permit;
use crate::bus::Bus;
use crate::contracts::{
    ComputeShardRequest, ComputeShardResponse, RunAnnouncement, RunScenarioRequest,
};
use crate::metrics::Metrics;
use crate::shards::Shards;
use async_nats::{Message, Subject, Subscriber};
use futures_util::StreamExt;
use prost::Message as _;
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stratvector_montecarlo_core::{ARITHMETIC, Gathering, Shard, ShardOutcome, Simulation};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Where runs are announced.
pub(crate) const RUNS: &str = "montecarlo.runs";
/// What the address of every run begins with.
pub(crate) const SHARDS: &str = "montecarlo.shards";
/// How long a run outlives its connection.
const GONE_SECONDS: Duration = Duration::from_secs(5);
/// How long a run waits for any answer.
const SILENCE_SECONDS: Duration = Duration::from_secs(60);
/// Progress is told, and overdue shards are looked for, so often.
const TICK: Duration = Duration::from_millis(100);

type Answers = mpsc::UnboundedSender<(usize, ComputeShardResponse)>;

/// Gives the shards of all runs of this process.
#[derive(Clone)]
pub(crate) struct Coordinator {
    pub(crate) metrics: Arc<Metrics>,
    bus: Bus,
    address: Arc<str>,
    runs: Arc<Mutex<BTreeMap<u64, Arc<Giving>>>>,
    begun: Arc<AtomicU64>,
    clients: RandomState,
}

/// What those who ask a run need.
struct Giving {
    request: RunScenarioRequest,
    shards: Mutex<Shards>,
    answers: Answers,
}

/// A run that gives shards until this is dropped.
struct Run<'a> {
    coordinator: &'a Coordinator,
    number: u64,
    giving: Arc<Giving>,
    announcement: RunAnnouncement,
    last_answer: Instant,
    gone_since: Option<Instant>,
    connection: u64,
}

impl Coordinator {
    /// With the questions that `serve` is to answer. Refuses with a sentence.
    pub(crate) async fn new(bus: Bus, metrics: Arc<Metrics>) -> Result<(Self, Subscriber), String> {
        let inbox = bus.client.new_inbox();
        let token = inbox.rsplit('.').next().unwrap_or_default();
        let address = format!("{SHARDS}.{token}");
        let questions = bus.client.subscribe(format!("{address}.>")).await;
        let questions = questions.map_err(|error| format!("{address}: {error}"))?;
        let coordinator = Self {
            metrics,
            bus,
            address: address.into(),
            runs: Arc::default(),
            begun: Arc::default(),
            clients: RandomState::new(),
        };
        Ok((coordinator, questions))
    }

    /// Answers questions as long as there is a connection; its end is the worker's to tell.
    pub(crate) async fn serve(self, mut questions: Subscriber) {
        while let Some(message) = questions.next().await {
            self.take(message).await;
        }
        std::future::pending::<()>().await;
    }

    /// All outcomes of a run; or one sentence why there is none, never a part.
    ///
    /// permit : of this run. progress : is told how many paths are done. cut : ends the run.
    pub(crate) async fn gather(
        &self,
        request: &RunScenarioRequest,
        simulation: &Simulation,
        permit: &Permit,
        mut progress: impl FnMut(u64),
        mut cut: watch::Receiver<bool>,
    ) -> Result<Gathering, String> {
        let (told, mut answers) = mpsc::unbounded_channel();
        let mut gathering = Gathering::new(simulation);
        let mut run = Run::new(self, request, gathering.shards(), permit, told);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !gathering.is_complete() {
            tokio::select! {
                Some((number, response)) = answers.recv() => run.put(&mut gathering, number, response),
                _ = tick.tick() => {
                    progress(gathering.done());
                    run.look_after().await?;
                }
                () = async { drop(cut.wait_for(|cut| *cut).await) } => {
                    return Err("the process that runs it is asked to stop: ask again".into());
                }
            }
        }
        Ok(gathering)
    }

    /// A question for a shard, or the answer to one.
    async fn take(&self, message: Message) {
        let place = message.subject.as_str().strip_prefix(&*self.address);
        let mut tokens = place.unwrap_or_default().split('.').skip(1);
        let number = tokens.next().and_then(|token| token.parse().ok());
        let run = number.and_then(|number| self.runs().get(&number).cloned());
        match (tokens.next(), message.reply) {
            (None, Some(reply)) => self.give(number.zip(run), reply).await,
            (Some(shard), _) => {
                let response = ComputeShardResponse::decode(message.payload);
                if let (Some(run), Ok(shard), Ok(response)) = (run, shard.parse(), response) {
                    let _ = run.answers.send((shard, response));
                }
            }
            (None, None) => {}
        }
    }

    /// Answers with the next shard, or with nothing. A lost one will be overdue.
    async fn give(&self, run: Option<(u64, Arc<Giving>)>, reply: Subject) {
        let client = &self.bus.client;
        let gift = run.and_then(|(number, run)| {
            let gift = locked(&run.shards).give(Instant::now())?;
            Some((number, run, gift))
        });
        let Some((run_number, run, gift)) = gift else {
            let _ = client.publish(reply, "".into()).await;
            return;
        };
        if gift.again {
            self.metrics.shard_asked_again();
        }
        let question = ComputeShardRequest {
            run: Some(run.request.clone()),
            first_path: gift.shard.first_path,
            paths: gift.shard.paths as u32,
            arithmetic: ARITHMETIC,
        };
        let answer_to = format!("{}.{run_number}.{}", self.address, gift.number);
        let question = question.encode_to_vec().into();
        let _ = client.publish_with_reply(reply, answer_to, question).await;
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Giving>>> {
        locked(&self.runs)
    }
}

impl<'a> Run<'a> {
    fn new(
        coordinator: &'a Coordinator,
        request: &RunScenarioRequest,
        shards: &[Shard],
        permit: &Permit,
        answers: Answers,
    ) -> Self {
        // Levels are no business of the paths'.
        let mut request = request.clone();
        request.levels.clear();
        let giving = Arc::new(Giving {
            request,
            shards: Mutex::new(Shards::new(shards.to_vec())),
            answers,
        });
        let number = coordinator.begun.fetch_add(1, Ordering::Relaxed);
        coordinator.runs().insert(number, Arc::clone(&giving));
        Self {
            coordinator,
            number,
            giving,
            announcement: RunAnnouncement {
                address: format!("{}.{number}", coordinator.address),
                client: coordinator.clients.hash_one(permit.client()),
                arithmetic: ARITHMETIC,
            },
            last_answer: Instant::now(),
            gone_since: None,
            connection: coordinator.bus.connection(),
        }
    }

    fn put(&mut self, gathering: &mut Gathering, number: usize, response: ComputeShardResponse) {
        let outcome = ShardOutcome {
            profits: response.profits,
            max_drawdowns: response.max_drawdowns,
        };
        let is_given = locked(&self.giving.shards).is_given(number);
        if is_given && gathering.put(number, &outcome) {
            self.last_answer = Instant::now();
            locked(&self.giving.shards).answered(number);
        }
    }

    /// Announces what there is to give, unless nobody could hear it.
    async fn look_after(&mut self) -> Result<(), String> {
        let now = Instant::now();
        if !self.coordinator.bus.is_connected() {
            let since = *self.gone_since.get_or_insert(now);
            let lost = now - since > GONE_SECONDS;
            return if lost { Err(self.gone()) } else { Ok(()) };
        }
        self.gone_since = None;
        let connection = self.coordinator.bus.connection();
        if connection != self.connection {
            self.connection = connection;
            self.last_answer = now;
            locked(&self.giving.shards).lost(now);
        }
        if now - self.last_answer > SILENCE_SECONDS {
            let seconds = SILENCE_SECONDS.as_secs();
            return Err(format!("no replica computed anything for {seconds} s"));
        }
        if !locked(&self.giving.shards).announce(now) {
            return Ok(());
        }
        let announcement = self.announcement.encode_to_vec().into();
        let sent = self.coordinator.bus.client.publish(RUNS, announcement);
        sent.await.map_err(|error| error.to_string())
    }

    fn gone(&self) -> String {
        let (url, seconds) = (&self.coordinator.bus.url, GONE_SECONDS.as_secs());
        format!("NATS at {url} has been gone for {seconds} s, and with it the run's workers")
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.coordinator.runs().remove(&self.number);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is counted is counted before anything could panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
