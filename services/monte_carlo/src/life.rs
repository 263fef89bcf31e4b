//! One process from its first port to its drain.
//!
//! ```text
//!   http port ─▶ bus ─▶ worker, gRPC port ─▶ work ─▶ SIGTERM, SIGINT ─▶ drain
//! ```

use crate::SERVICE;
use crate::admission::Admission;
use crate::bus::Bus;
use crate::certificates::Certificates;
use crate::coordinator::Coordinator;
use crate::drain::drain;
use crate::ending::Ending;
use crate::grpc_port::{GrpcPort, Health};
use crate::http_port::HttpPort;
use crate::metrics::Metrics;
use crate::parts::{first_end, http_end};
use crate::servicer::Servicer;
use crate::settings::Settings;
use crate::status::{Readiness, Status};
use crate::worker::Worker;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::info;

const PULSE: Duration = Duration::from_millis(200);

/// The parts of a process that works.
pub(crate) struct Work {
    pub(crate) bus: Bus,
    pub(crate) grpc: GrpcPort,
    pub(crate) servicer: Servicer,
    /// Gives the shards of this process's runs.
    pub(crate) coordinator: JoinHandle<()>,
    /// Computes those of any.
    pub(crate) worker: JoinHandle<()>,
    /// Ends every run.
    pub(crate) cut: watch::Sender<bool>,
    /// Ends the worker.
    pub(crate) stop: watch::Sender<bool>,
}

/// A name that no other start of any process has: `<service>-<host>-<pid>-<random>`.
pub(crate) fn new_instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().replace(' ', "_");
    let random = RandomState::new().build_hasher().finish() as u32;
    format!("{SERVICE}-{host}-{}-{random:08x}", std::process::id())
}

/// Starts, works and drains; how it ended.
pub(crate) fn run(settings: &Settings, instance: &str) -> Ending {
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Ending::Failed(format!("no threads: {error}")),
    };
    let ended = runtime.block_on(live(settings, instance));
    let ending = ended.unwrap_or_else(|ending| ending);
    // What computes still is of no use to anybody.
    runtime.shutdown_background();
    ending
}

async fn live(settings: &Settings, instance: &str) -> Result<Ending, Ending> {
    let failed = |error: &dyn std::fmt::Display| Ending::Failed(error.to_string());
    let status = Arc::new(Status::new(settings.stall));
    let certificates = settings.tls.as_ref().map(Certificates::open).transpose();
    let certificates = certificates.map_err(Ending::Refused)?.map(Arc::new);
    let metrics = Metrics::new(certificates.clone()).map_err(|error| failed(&error))?;
    let metrics = Arc::new(metrics);
    let mut signals = Signals::new().map_err(|error| failed(&error))?;
    let (host, port) = (&settings.host, settings.http_port);
    let mut http = HttpPort::open(
        host,
        port,
        Arc::clone(&status),
        Arc::clone(&metrics),
        &settings.allowed_hosts,
        certificates.clone(),
    )?;
    info!(http_port = http.port, "listening");
    let mut pulse = Pulse::new(Arc::clone(&status));
    let mut started = tokio::select! {
        started = start(settings, instance, &status, metrics, certificates) => Some(started?),
        number = signals.asked() => { asked_to_stop(number); None }
        ending = http_end(&mut http) => return Err(ending),
        never = pulse.beat(None) => match never {},
    };
    if let Some(work) = &mut started {
        let health = work.grpc.health.clone();
        tokio::select! {
            number = signals.asked() => asked_to_stop(number),
            ending = first_end(&mut http, work) => return Err(ending),
            never = pulse.beat(Some(&health)) => match never {},
        }
    }
    status.draining();
    info!(seconds_max = settings.drain.as_secs_f64(), "draining");
    if let Some(work) = started {
        tokio::select! {
            () = drain(work, settings.drain) => {}
            never = pulse.beat(None) => match never {},
        }
    }
    Ok(Ending::Stopped)
}

/// Everything up to open ports.
pub(crate) async fn start(
    settings: &Settings,
    instance: &str,
    status: &Status,
    metrics: Arc<Metrics>,
    certificates: Option<Arc<Certificates>>,
) -> Result<Work, Ending> {
    let certificates = certificates.as_ref();
    let bus = Bus::connect(settings, instance, certificates, |why| {
        status.waits_for(why);
    })
    .await?;
    let coordinator = Coordinator::new(bus.clone(), Arc::clone(&metrics)).await;
    let (coordinator, questions) = coordinator.map_err(Ending::Failed)?;
    let giving = tokio::spawn(coordinator.clone().serve(questions));
    let (cut, runs_cut) = watch::channel(false);
    let (stop, worker_stopped) = watch::channel(false);
    let admission = Admission::new(settings.run_work_max, settings.work_in_flight_max);
    let servicer = Servicer::new(coordinator, admission, settings.run, runs_cut);
    let worker = Worker::new(bus.clone(), settings.workers, metrics, instance).await;
    let worker = worker.map_err(Ending::Failed)?;
    let worker = tokio::spawn(worker.work(worker_stopped));
    let grpc = GrpcPort::open(
        &settings.host,
        settings.grpc_port,
        servicer.clone(),
        certificates,
    )
    .await?;
    info!(grpc_port = grpc.port, "listening");
    status.started(bus.clone());
    Ok(Work {
        bus,
        grpc,
        servicer,
        coordinator: giving,
        worker,
        cut,
        stop,
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn asked_to_stop(signal: &str) {
    info!(signal, "asked_to_stop");
}

/// Beats, and tells the log and gRPC health when the state changed.
struct Pulse {
    status: Arc<Status>,
    told: Option<Readiness>,
}

impl Pulse {
    fn new(status: Arc<Status>) -> Self {
        Self { status, told: None }
    }

    async fn beat(&mut self, health: Option<&Health>) -> std::convert::Infallible {
        // A new listener hears the state even if the log has it.
        if let Some(health) = health {
            health.tell(self.status.readiness().1).await;
        }
        loop {
            self.status.beat();
            let now = self.status.readiness();
            if self.told.as_ref() != Some(&now) {
                let (state, ready, reason) = &now;
                info!(state, ready, reason, "state");
                if let Some(health) = health {
                    health.tell(*ready).await;
                }
                self.told = Some(now);
            }
            tokio::time::sleep(PULSE).await;
        }
    }
}
