//! `/metrics`, `/healthz` and `/readyz`, answered by a thread of their own: `/healthz` must tell
//! when the event loop is stuck.

use crate::certificates::Certificates;
use crate::ending::Ending;
use crate::http_connections::serve;
use crate::metrics::Metrics;
use crate::status::Status;
use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The port that was taken, and the thread that answers there until the process ends.
pub(crate) struct HttpPort {
    pub(crate) port: u16,
    end: oneshot::Receiver<io::Error>,
}

impl HttpPort {
    /// Listens and answers from now on.
    pub(crate) fn open(
        host: &str,
        port: u16,
        status: Arc<Status>,
        metrics: Arc<Metrics>,
        allowed_hosts: &[String],
        certificates: Option<Arc<Certificates>>,
    ) -> Result<Self, Ending> {
        let (listener, port) = listen("http_port", host, port)?;
        let (pages, allowed_hosts) = (pages(status, metrics), allowed_hosts.into());
        let end = on_a_thread(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                Ok(serve(listener, pages, allowed_hosts, certificates).await)
            })
        });
        let end = end.map_err(|error| Ending::Failed(format!("http_port: no thread: {error}")))?;
        Ok(Self { port, end })
    }

    /// Waits for the thread's end, which is never a good one.
    pub(crate) async fn end(&mut self) -> Result<(), String> {
        let error = (&mut self.end).await;
        // What panics says nothing here: its words are in the log.
        Err(error.map_or_else(|_| "its thread panicked".into(), |error| error.to_string()))
    }
}

type Endless = io::Result<Infallible>;

fn on_a_thread(
    answer: impl FnOnce() -> Endless + Send + 'static,
) -> io::Result<oneshot::Receiver<io::Error>> {
    let (tell, end) = oneshot::channel();
    let named = std::thread::Builder::new().name("http".into());
    named.spawn(move || {
        let Err(error) = answer();
        drop(tell.send(error));
    })?;
    Ok(end)
}

/// A listening socket for an event loop, and its port.
pub(crate) fn listen(setting: &str, host: &str, port: u16) -> Result<(TcpListener, u16), Ending> {
    let open = || {
        let listener = TcpListener::bind((host, port))?;
        listener.set_nonblocking(true)?;
        let taken = listener.local_addr()?.port();
        Ok((listener, taken))
    };
    open().map_err(|error: io::Error| {
        let why = error.to_string();
        // As the other services say it: without the number.
        let why = why.split(" (os error").next().unwrap_or_default();
        Ending::Failed(format!("{setting}: can't listen on {host}:{port}: {why}"))
    })
}

fn pages(status: Arc<Status>, metrics: Arc<Metrics>) -> Router {
    let (health, readiness) = (Arc::clone(&status), status);
    Router::new()
        .route("/metrics", get(async move || metrics_page(&metrics)))
        .route(
            "/healthz",
            get(async move || probe(&health.health_document())),
        )
        .route(
            "/readyz",
            get(async move || probe(&readiness.readiness_document())),
        )
        .fallback(nowhere)
}

fn metrics_page(metrics: &Metrics) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.text()).into_response()
}

fn probe((well, document): &(bool, Value)) -> Response {
    let code = if *well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    page(code, document)
}

async fn nowhere(address: Uri) -> Response {
    let path = address.path();
    let reason = format!("there is no {path}; ask one of /metrics, /healthz, /readyz");
    page(StatusCode::NOT_FOUND, &json!({ "reason": reason }))
}

pub(crate) fn page(code: StatusCode, document: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (code, kind, format!("{document}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn end_of(answer: impl FnOnce() -> Endless + Send + 'static) -> String {
        let end = on_a_thread(answer).unwrap();
        let mut port = HttpPort { port: 0, end };
        port.end().await.unwrap_err()
    }

    #[tokio::test]
    async fn a_thread_that_fails_or_panics_is_told() {
        let told = end_of(|| Err(io::Error::other("no more sockets"))).await;
        assert_eq!(told, "no more sockets");
        assert_eq!(end_of(|| panic!("gone")).await, "its thread panicked");
    }
}
