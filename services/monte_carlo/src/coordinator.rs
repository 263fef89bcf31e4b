//! One run: its shards are asked for on the bus, asked again where nobody answers, and put in order.
//!
//! ```text
//!   shards ─▶ a window of them asked ─▶ any replica ─▶ answers, in any order ─▶ Gathering
//!                 ▲          │ not answered in time
//!                 └──────────┘
//! ```
//!
//! Asking twice changes nothing: an answer is a function of the question. The window of a process
//! grows while answers come soon and shrinks while they wait in line: all replicas are busy, and a
//! run that ends early leaves little work behind. Each run has its share of it.

use crate::admission::Permit;
use crate::bus::Bus;
use crate::contracts::{ComputeShardRequest, ComputeShardResponse, RunScenarioRequest};
use crate::metrics::Metrics;
use crate::worker::SUBJECT;
use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use stratvector_montecarlo_core::{ARITHMETIC, Gathering, ShardOutcome, Simulation};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How long a shard may take at first; each time it is asked again it may take twice as long.
const ANSWER_SECONDS: Duration = Duration::from_secs(3);
/// How soon to ask again when there is no replica at all.
const NOBODY_SECONDS: Duration = Duration::from_millis(300);
/// How long a run outlives its connection.
const GONE_SECONDS: Duration = Duration::from_secs(5);
/// How long a run waits for any answer.
const SILENCE_SECONDS: Duration = Duration::from_secs(60);
/// Progress is told, and overdue shards are looked for, so often.
const TICK: Duration = Duration::from_millis(100);

/// Where a run asks, and what it counts.
#[derive(Clone)]
pub(crate) struct Coordinator {
    pub(crate) bus: Bus,
    pub(crate) metrics: Arc<Metrics>,
}

/// When a shard was asked for, when its answer is overdue, and how often it was asked for.
struct Question {
    begun: Instant,
    due: Instant,
    asked: u32,
}

struct Run<'a> {
    coordinator: &'a Coordinator,
    request: RunScenarioRequest,
    inbox: String,
    gathering: Gathering,
    open: BTreeMap<usize, Question>,
    next: usize,
    permit: &'a Permit,
    last_answer: Instant,
    gone_since: Option<Instant>,
    connection: u64,
}

impl Coordinator {
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
        let mut run = Run::new(self, request, simulation, permit);
        let answers = self.bus.client.subscribe(format!("{}.*", run.inbox)).await;
        let mut answers: Subscriber = answers.map_err(|error| error.to_string())?;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !run.gathering.is_complete() {
            run.ask_next().await?;
            tokio::select! {
                answer = answers.next() => match answer {
                    Some(answer) => run.take(&answer),
                    None => return Err(run.gone()),
                },
                _ = tick.tick() => {
                    progress(run.gathering.done());
                    run.look_after_overdue().await?;
                }
                () = async { drop(cut.wait_for(|cut| *cut).await) } => {
                    return Err("the process that runs it is asked to stop: ask again".into());
                }
            }
        }
        Ok(run.gathering)
    }
}

impl<'a> Run<'a> {
    fn new(
        coordinator: &'a Coordinator,
        request: &RunScenarioRequest,
        simulation: &Simulation,
        permit: &'a Permit,
    ) -> Self {
        // Levels are no business of the paths'.
        let mut request = request.clone();
        request.levels.clear();
        Self {
            coordinator,
            request,
            inbox: coordinator.bus.client.new_inbox(),
            gathering: Gathering::new(simulation),
            open: BTreeMap::new(),
            next: 0,
            permit,
            last_answer: Instant::now(),
            gone_since: None,
            connection: coordinator.bus.connection(),
        }
    }

    /// Asks for shards until enough are on their way.
    async fn ask_next(&mut self) -> Result<(), String> {
        let share = self.permit.share();
        while self.open.len() < share && self.next < self.gathering.shards().len() {
            self.ask(self.next, 1).await?;
            self.next += 1;
        }
        Ok(())
    }

    async fn ask(&mut self, n: usize, asked: u32) -> Result<(), String> {
        let shard = self.gathering.shards()[n];
        let question = ComputeShardRequest {
            run: Some(self.request.clone()),
            first_path: shard.first_path,
            paths: shard.paths as u32,
            arithmetic: ARITHMETIC,
        };
        let patience = ANSWER_SECONDS * 2_u32.pow((asked - 1).min(4));
        let begun = Instant::now();
        let due = begun + patience;
        self.open.insert(n, Question { begun, due, asked });
        let client = &self.coordinator.bus.client;
        let reply = format!("{}.{n}", self.inbox);
        let sent = client.publish_with_reply(SUBJECT, reply, question.encode_to_vec().into());
        sent.await.map_err(|error| error.to_string())
    }

    fn take(&mut self, answer: &Message) {
        let number = answer.subject.as_str().rsplit('.').next();
        let Some(n) = number.and_then(|number| number.parse().ok()) else {
            return;
        };
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            if let Some(question) = self.open.get_mut(&n) {
                question.due = Instant::now() + NOBODY_SECONDS;
            }
            return;
        }
        let Ok(response) = ComputeShardResponse::decode(answer.payload.clone()) else {
            return;
        };
        let outcome = ShardOutcome {
            profits: response.profits,
            max_drawdowns: response.max_drawdowns,
        };
        if n < self.next && self.gathering.put(n, &outcome) {
            self.last_answer = Instant::now();
            if let Some(question) = self.open.remove(&n) {
                self.permit.learn(question.begun.elapsed());
            }
        }
    }

    /// Asks again for what is overdue, unless nobody could hear it.
    async fn look_after_overdue(&mut self) -> Result<(), String> {
        let now = Instant::now();
        if !self.coordinator.bus.is_connected() {
            let since = *self.gone_since.get_or_insert(now);
            let lost = now - since > GONE_SECONDS;
            return if lost { Err(self.gone()) } else { Ok(()) };
        }
        self.gone_since = None;
        let connection = self.coordinator.bus.connection();
        if connection != self.connection {
            // Questions and answers that were under way are lost.
            self.connection = connection;
            self.open.values_mut().for_each(|one| one.due = now);
            self.last_answer = now;
        }
        if now - self.last_answer > SILENCE_SECONDS {
            let seconds = SILENCE_SECONDS.as_secs();
            return Err(format!("no replica computed anything for {seconds} s"));
        }
        let overdue = self.open.iter().filter(|(_, question)| question.due <= now);
        let overdue: Vec<(usize, u32)> = overdue.map(|(&n, one)| (n, one.asked)).collect();
        for (n, asked) in overdue {
            self.coordinator.metrics.shard_asked_again();
            self.ask(n, asked + 1).await?;
        }
        Ok(())
    }

    fn gone(&self) -> String {
        let (url, seconds) = (&self.coordinator.bus.url, GONE_SECONDS.as_secs());
        format!("NATS at {url} has been gone for {seconds} s, and with it the run's workers")
    }
}
