//! What Prometheus scrapes.

use crate::certificates::Certificates;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use std::sync::Arc;
use std::time::Duration;

const RUN_SECONDS: [f64; 12] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0,
];

/// A run of this process that has not ended: it waits for its turn, or is under way.
const WAITING: &str = "waiting";
const UNDER_WAY: &str = "under_way";

/// The instruments of one process.
pub(crate) struct Metrics {
    registry: Registry,
    runs: IntCounterVec,
    open: IntGaugeVec,
    run_seconds: Histogram,
    asked_again: IntCounter,
    paths: IntCounter,
    expires: Option<(IntGauge, Arc<Certificates>)>,
}

impl Metrics {
    /// Instruments that stand at 0.
    pub(crate) fn new(certificates: Option<Arc<Certificates>>) -> prometheus::Result<Self> {
        let runs = Opts::new(
            "stratvector_monte_carlo_runs_total",
            "The runs that this process was asked for and that ended.",
        );
        let open = Opts::new(
            "stratvector_monte_carlo_open_runs",
            "The runs that this process was asked for and that have not ended.",
        );
        let seconds = HistogramOpts::new(
            "stratvector_monte_carlo_run_seconds",
            "The time from the request of a run to its result.",
        );
        let metrics = Self {
            registry: Registry::new(),
            expires: certificates.map(expiring).transpose()?,
            runs: IntCounterVec::new(runs, &["outcome"])?,
            open: IntGaugeVec::new(open, &["state"])?,
            run_seconds: Histogram::with_opts(seconds.buckets(RUN_SECONDS.into()))?,
            asked_again: IntCounter::new(
                "stratvector_monte_carlo_shards_asked_again_total",
                "The shards that no worker answered in time.",
            )?,
            paths: IntCounter::new(
                "stratvector_monte_carlo_paths_total",
                "The paths that this process computed, for itself and for others.",
            )?,
        };
        for outcome in ["result", "refused", "late", "unavailable", "cancelled"] {
            metrics.runs.with_label_values(&[outcome]);
        }
        for state in [WAITING, UNDER_WAY] {
            metrics.open.with_label_values(&[state]);
        }
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.runs.clone()))?;
        registry.register(Box::new(metrics.open.clone()))?;
        registry.register(Box::new(metrics.run_seconds.clone()))?;
        registry.register(Box::new(metrics.asked_again.clone()))?;
        registry.register(Box::new(metrics.paths.clone()))?;
        if let Some((gauge, _)) = &metrics.expires {
            registry.register(Box::new(gauge.clone()))?;
        }
        Ok(metrics)
    }

    /// A run that waits for its turn, counted as open until this is dropped.
    pub(crate) fn open_run(&self) -> OpenRun {
        OpenRun::counted(self.open.with_label_values(&[WAITING]))
    }

    /// A run that gave its result.
    pub(crate) fn run_ended(&self, outcome: &str, took: Duration) {
        self.runs.with_label_values(&[outcome]).inc();
        if outcome == "result" {
            self.run_seconds.observe(took.as_secs_f64());
        }
    }

    /// A shard that nobody answered in time.
    pub(crate) fn shard_asked_again(&self) {
        self.asked_again.inc();
    }

    /// Paths that were computed here.
    pub(crate) fn paths_computed(&self, paths: u64) {
        self.paths.inc_by(paths);
    }

    /// All of it, in Prometheus's text format.
    pub(crate) fn text(&self) -> String {
        if let Some((gauge, certificates)) = &self.expires {
            gauge.set(certificates.now().expires_seconds);
        }
        // Families of the registry's own always have a text.
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }
}

/// One of the runs that are open, wherever it ends.
pub(crate) struct OpenRun {
    counted: IntGauge,
}

impl OpenRun {
    fn counted(gauge: IntGauge) -> Self {
        gauge.inc();
        Self { counted: gauge }
    }

    /// Its turn has come.
    pub(crate) fn begins(&mut self, metrics: &Metrics) {
        *self = Self::counted(metrics.open.with_label_values(&[UNDER_WAY]));
    }
}

impl Drop for OpenRun {
    fn drop(&mut self) {
        self.counted.dec();
    }
}

/// Only a process with TLS has a certificate that ends.
fn expiring(certificates: Arc<Certificates>) -> prometheus::Result<(IntGauge, Arc<Certificates>)> {
    let gauge = IntGauge::new(
        "stratvector_certificate_expires_seconds",
        "The end of this process's own certificate, in seconds since 1970.",
    )?;
    Ok((gauge, certificates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instrument_is_told_from_the_beginning() {
        let metrics = Metrics::new(None).unwrap();
        metrics.run_ended("result", Duration::from_millis(20));
        metrics.run_ended("cancelled", Duration::from_secs(9));
        metrics.paths_computed(4096);
        let text = metrics.text();
        for line in [
            "stratvector_monte_carlo_runs_total{outcome=\"result\"} 1",
            "stratvector_monte_carlo_runs_total{outcome=\"unavailable\"} 0",
            "stratvector_monte_carlo_run_seconds_count 1",
            "stratvector_monte_carlo_paths_total 4096",
            "stratvector_monte_carlo_shards_asked_again_total 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn an_open_run_waits_then_is_under_way_and_is_gone_however_it_ends() {
        let metrics = Metrics::new(None).unwrap();
        let open = |state: &str| metrics.open.with_label_values(&[state]).get();
        let (mut first, second) = (metrics.open_run(), metrics.open_run());
        assert_eq!((open(WAITING), open(UNDER_WAY)), (2, 0));
        first.begins(&metrics);
        assert_eq!((open(WAITING), open(UNDER_WAY)), (1, 1));
        drop(second);
        assert_eq!((open(WAITING), open(UNDER_WAY)), (0, 1));
        drop(first);
        assert_eq!((open(WAITING), open(UNDER_WAY)), (0, 0));
    }
}
