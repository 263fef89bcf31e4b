//! Health, reflection and the service's own questions on one port.

use crate::certificates::Certificates;
use crate::contracts::DESCRIPTORS;
use crate::contracts::monte_carlo_service_server::{MonteCarloServiceServer, SERVICE_NAME};
use crate::ending::Ending;
use crate::http_port::listen;
use crate::servicer::Servicer;
use crate::transport::{known_caller, secured};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::service::{InterceptorLayer, Routes};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// Most calls of one connection that are answered at once.
const CALLS_OF_CONNECTION_MAX: u32 = 128;
/// How often a connection is asked whether anybody is there, and how long it may take to say so.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// The gRPC server of the process. Health is `NOT_SERVING` until it is told otherwise.
pub(crate) struct GrpcPort {
    pub(crate) port: u16,
    pub(crate) health: Health,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

/// What health says of the process and of its service.
#[derive(Clone)]
pub(crate) struct Health(HealthReporter);

impl Health {
    /// Says it from now on.
    pub(crate) async fn tell(&self, ready: bool) {
        let status = if ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for name in ["", SERVICE_NAME] {
            self.0.set_service_status(name, status).await;
        }
    }
}

impl GrpcPort {
    /// Listens and answers from now on.
    pub(crate) async fn open(
        host: &str,
        port: u16,
        servicer: Servicer,
        certificates: Option<&Arc<Certificates>>,
    ) -> Result<Self, Ending> {
        let (listener, port) = listen("grpc_port", host, port)?;
        let failed = |error: &dyn std::fmt::Display| Ending::Failed(format!("grpc_port: {error}"));
        let listener = TcpListener::from_std(listener).map_err(|error| failed(&error))?;
        let (health, health_service) = tonic_health::server::health_reporter();
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let newer = reflection().build_v1().map_err(|error| failed(&error))?;
        let older = reflection()
            .build_v1alpha()
            .map_err(|error| failed(&error))?;
        let (stop, stopped) = oneshot::channel();
        let mut routes = Routes::builder();
        routes
            .add_service(health_service)
            .add_service(newer)
            .add_service(older);
        routes.add_service(MonteCarloServiceServer::new(servicer));
        let routes = routes.routes();
        let server = || {
            Server::builder()
                .max_concurrent_streams(CALLS_OF_CONNECTION_MAX)
                .http2_keepalive_interval(Some(KEEPALIVE))
                .http2_keepalive_timeout(Some(KEEPALIVE))
        };
        let until_stopped = async { drop(stopped.await) };
        let serving = if let Some(certificates) = certificates {
            let incoming = secured(listener, Arc::clone(certificates));
            let callers = InterceptorLayer::new(known_caller);
            let server = server().layer(callers).add_routes(routes);
            tokio::spawn(server.serve_with_incoming_shutdown(incoming, until_stopped))
        } else {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let server = server().add_routes(routes);
            tokio::spawn(server.serve_with_incoming_shutdown(incoming, until_stopped))
        };
        let health = Health(health);
        health.tell(false).await;
        Ok(Self {
            port,
            health,
            stop: Some(stop),
            serving,
        })
    }

    /// Waits for the server's end, which is no good one before it was asked to.
    pub(crate) async fn end(&mut self) -> Result<(), String> {
        match (&mut self.serving).await {
            Ok(served) => served.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Refuses new calls from now on; those under way go on.
    pub(crate) fn refuse_new(&mut self) {
        self.stop.take();
    }

    /// Returns when the last connection is closed; cuts what is there when `patience` ends first.
    pub(crate) async fn close(mut self, patience: impl Future<Output = ()>) {
        tokio::select! {
            _ = &mut self.serving => {}
            () = patience => self.serving.abort(),
        }
    }
}
