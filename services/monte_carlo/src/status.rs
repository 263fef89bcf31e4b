//! How far the process is, as `/readyz`, gRPC health and the log tell it.
//!
//! ```text
//!     starting ─▶ owner ─▶ draining
//! ```

use crate::bus::Bus;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the process knows about itself; read by the HTTP port's thread too.
pub(crate) struct Status {
    stage: Mutex<Stage>,
    begun: Instant,
    beaten_milliseconds: AtomicU64,
    stall: Duration,
}

enum Stage {
    /// It waits; for what.
    Starting(String),
    /// It answers and computes.
    Owner(Bus),
    /// It was asked to stop.
    Draining,
}

/// State, whether it is ready, and why not.
pub(crate) type Readiness = (&'static str, bool, String);

impl Status {
    /// Of a process that begins. stall : silence that counts as stuck.
    pub(crate) fn new(stall: Duration) -> Self {
        Self {
            stage: Mutex::new(Stage::Starting("the service is being built".into())),
            begun: Instant::now(),
            beaten_milliseconds: AtomicU64::new(0),
            stall,
        }
    }

    /// What it waits for.
    pub(crate) fn waits_for(&self, what: String) {
        self.enter(Stage::Starting(what));
    }

    /// It works, as long as the bus does.
    pub(crate) fn started(&self, bus: Bus) {
        self.enter(Stage::Owner(bus));
    }

    /// It stops.
    pub(crate) fn draining(&self) {
        self.enter(Stage::Draining);
    }

    /// The event loop turns.
    pub(crate) fn beat(&self) {
        let now = self.begun.elapsed().as_millis() as u64;
        self.beaten_milliseconds.store(now, Ordering::Relaxed);
    }

    /// State, whether it is ready, and why not.
    pub(crate) fn readiness(&self) -> Readiness {
        match &*self
            .stage
            .lock()
            .expect("no thread fails while it holds this")
        {
            Stage::Starting(waiting_for) => ("starting", false, waiting_for.clone()),
            Stage::Owner(bus) => {
                let trouble = bus.trouble();
                ("owner", trouble.is_empty(), trouble)
            }
            Stage::Draining => ("draining", false, "the process is asked to stop".into()),
        }
    }

    /// What `/readyz` answers, and whether it is well.
    pub(crate) fn readiness_document(&self) -> (bool, Value) {
        let (state, ready, reason) = self.readiness();
        let document = json!({"state": state, "ready": ready, "reason": reason, "lanes": []});
        (ready, document)
    }

    /// What `/healthz` answers, and whether it is well.
    pub(crate) fn health_document(&self) -> (bool, Value) {
        let beaten = Duration::from_millis(self.beaten_milliseconds.load(Ordering::Relaxed));
        let silence = self.begun.elapsed().saturating_sub(beaten);
        let stuck = silence > self.stall;
        let document = json!({"stuck": stuck, "silence_seconds": silence.as_secs_f64()});
        (!stuck, document)
    }

    fn enter(&self, stage: Stage) {
        *self
            .stage
            .lock()
            .expect("no thread fails while it holds this") = stage;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_waits_says_for_what() {
        let status = Status::new(Duration::from_secs(10));
        status.waits_for("waiting for NATS".into());
        let (ready, document) = status.readiness_document();
        assert!(!ready);
        assert_eq!(
            document.to_string(),
            r#"{"lanes":[],"ready":false,"reason":"waiting for NATS","state":"starting"}"#
        );
        status.draining();
        assert_eq!(status.readiness().0, "draining");
    }

    #[test]
    fn a_loop_that_does_not_beat_is_stuck() {
        let status = Status::new(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        assert!(!status.health_document().0);
        let patient = Status::new(Duration::from_secs(3600));
        patient.beat();
        assert!(patient.health_document().0);
    }
}
