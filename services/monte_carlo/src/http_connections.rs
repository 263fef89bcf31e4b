//! The connections of the HTTP port, each with bounds, so that no client holds a task or a socket
//! for ever, or keeps a probe from its answer.

use crate::certificates::Certificates;
use crate::host_header::foreign_host;
use crate::http_port::page;
use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// The longest a connection lasts, however slowly its client asks or listens.
const OPEN_SECONDS_MAX: Duration = Duration::from_secs(5);
/// More connections than these end the oldest.
const OPEN_MAX: usize = 64;
/// The longest header, and the memory that one connection takes while it is read.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Answers whoever connects and asks this machine; `allowed_hosts` are further names of it.
pub(crate) async fn serve(
    mut listener: TcpListener,
    pages: Router,
    allowed_hosts: Arc<[String]>,
    certificates: Option<Arc<Certificates>>,
) -> Infallible {
    let mut open = VecDeque::<AbortHandle>::new();
    loop {
        // This accept waits for better times when the process has no file left.
        let (stream, _) = Listener::accept(&mut listener).await;
        open.retain(|one| !one.is_finished());
        if open.len() == OPEN_MAX {
            open.pop_front().inspect(AbortHandle::abort);
        }
        let tls = certificates
            .as_ref()
            .map(|one| Arc::clone(&one.now().https));
        let answering = answer(stream, tls, pages.clone(), Arc::clone(&allowed_hosts));
        let answering = tokio::spawn(async {
            // A client that is slow or goes away is no defect.
            let _ = timeout(OPEN_SECONDS_MAX, answering).await;
        });
        open.push_back(answering.abort_handle());
    }
}

/// One question and its answer: a second one takes a connection, and a time, of its own.
async fn answer(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    pages: Router,
    allowed_hosts: Arc<[String]>,
) {
    let Ok(own) = stream.local_addr() else {
        return;
    };
    let pages = pages.layer(from_fn(move |request: Request, next: Next| {
        guarded(request, next, own.ip(), Arc::clone(&allowed_hosts))
    }));
    let mut http = http1::Builder::new();
    http.keep_alive(false).max_buf_size(HEADER_BYTES_MAX);
    let pages = TowerToHyperService::new(pages);
    match tls {
        None => drop(http.serve_connection(TokioIo::new(stream), pages).await),
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                drop(http.serve_connection(TokioIo::new(stream), pages).await);
            }
        }
    }
}

async fn guarded(request: Request, next: Next, own: IpAddr, allowed: Arc<[String]>) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts
        .next()
        .map_or("", |host| host.to_str().unwrap_or_default());
    let refusal = if hosts.next().is_some() {
        Some("a request has one Host header".into())
    } else {
        foreign_host(host, own, &allowed)
    };
    match refusal {
        Some(reason) => page(StatusCode::FORBIDDEN, &json!({ "reason": reason })),
        None => next.run(request).await,
    }
}
