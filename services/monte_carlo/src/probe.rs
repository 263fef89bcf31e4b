//! `--healthy`: asks the service that runs with the same settings, for an image without any other program.

use crate::certificates::{Certificates, IDENTITY};
use crate::settings::Settings;
use crate::transport::self_config;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

const WAIT: Duration = Duration::from_secs(4);
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// 0 for a service that says it is healthy; else 1, and why on the error output.
pub(crate) fn code(settings: &Settings) -> ExitCode {
    match ask_as(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("monte_carlo: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Who listens on every address listens on loopback too.
fn address(settings: &Settings) -> SocketAddr {
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    let told = settings.host.parse().unwrap_or(loopback);
    let host = if told.is_unspecified() {
        loopback
    } else {
        told
    };
    SocketAddr::new(host, settings.http_port)
}

fn ask_as(settings: &Settings) -> Result<()> {
    let Some(files) = &settings.tls else {
        return ask(address(settings), None);
    };
    let certificates = Certificates::open(files).map_err(Error::other)?;
    let config = self_config(&certificates).map_err(Error::other)?;
    ask(address(settings), Some(config))
}

fn ask(address: SocketAddr, tls: Option<ClientConfig>) -> Result<()> {
    let stream = TcpStream::connect_timeout(&address, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let answer = match tls {
        None => answer_to(&request, stream)?,
        Some(config) => {
            let name = ServerName::try_from(IDENTITY).map_err(Error::other)?;
            let connection = ClientConnection::new(Arc::new(config), name).map_err(Error::other)?;
            answer_to(&request, StreamOwned::new(connection, stream))?
        }
    };
    let first = answer.lines().next().unwrap_or_default();
    if first.split(' ').nth(1) == Some("200") {
        return Ok(());
    }
    Err(Error::other(format!(
        "{address} answered {first:?} to /healthz"
    )))
}

fn answer_to(request: &str, mut stream: impl Read + Write) -> Result<String> {
    stream.write_all(request.as_bytes())?; // at once, as `write!` sends it in pieces
    let mut answer = Vec::new();
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer) {
        // The end of an answer, where TLS was not told of it.
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error),
        _ => {}
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answered(with: &'static str) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let served = std::thread::spawn(move || -> Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked)?;
            assert!(asked[..length].starts_with(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:"));
            stream.write_all(with.as_bytes())
        });
        let found = ask(address, None);
        served.join().expect("the server ended")?;
        found
    }

    #[test]
    fn only_an_answer_of_200_is_health() {
        assert!(answered("HTTP/1.1 200 OK\r\n\r\n").is_ok());
        for other in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "200\r\n", ""] {
            assert!(answered(other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn nobody_there_is_no_health() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        drop(listener);
        assert!(ask(address, None).is_err());
    }
}
