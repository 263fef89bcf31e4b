//! The connections of the HTTP port, each with bounds, so that no client holds a task or a socket
//! for ever, or keeps a probe from its answer.

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// The longest a connection lasts, however slowly its client asks or listens.
const OPEN_SECONDS_MAX: Duration = Duration::from_secs(5);
/// More connections than these end the oldest.
const OPEN_MAX: usize = 64;
/// The longest header, and the memory that one connection takes while it is read.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Answers whoever connects.
pub(crate) async fn serve(mut listener: TcpListener, pages: Router) -> Infallible {
    let mut open = VecDeque::<AbortHandle>::new();
    loop {
        // This accept waits for better times when the process has no file left.
        let (stream, _) = Listener::accept(&mut listener).await;
        open.retain(|one| !one.is_finished());
        if open.len() == OPEN_MAX {
            open.pop_front().inspect(AbortHandle::abort);
        }
        let answering = tokio::spawn(answer(stream, pages.clone()));
        open.push_back(answering.abort_handle());
    }
}

/// One question and its answer: a second one takes a connection, and a time, of its own.
async fn answer(stream: TcpStream, pages: Router) {
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    // A client that is slow or goes away is no defect.
    let _ = timeout(OPEN_SECONDS_MAX, connection).await;
}
