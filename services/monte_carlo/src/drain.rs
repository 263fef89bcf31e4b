//! The end of a process that works: first what others wait for, then what nobody does.

use crate::life::Work;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tracing::warn;

/// What a connection gets to hear the last message of its run.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Not ready, runs, gRPC, shards of others, bus: all within `longest`.
pub(crate) async fn drain(mut work: Work, longest: Duration) {
    let deadline = Instant::now() + longest;
    work.grpc.health.tell(false).await;
    work.grpc.refuse_new();
    // Runs of this process may need its own threads: the worker goes on.
    if timeout(longest / 2, work.servicer.idle()).await.is_err() {
        warn!(seconds = longest.as_secs_f64() / 2.0, "runs_cut");
        let _ = work.cut.send(true);
    }
    let last_words = (Instant::now() + LAST_WORDS).min(deadline);
    work.grpc.close(sleep_until(last_words)).await;
    let _ = work.stop.send(true);
    if timeout_at(deadline, work.worker).await.is_err() {
        warn!("shards_cut");
    }
    tokio::select! {
        flushed = work.bus.client.flush() => drop(flushed),
        () = sleep(LAST_WORDS) => {}
    }
}
