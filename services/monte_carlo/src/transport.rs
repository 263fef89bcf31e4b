//! TLS of the connections: the way to NATS, and who may ask the gRPC port.

use crate::certificates::{Certificates, IDENTITY, names_of, provider};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{ResolvesClientCert, Resumption};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};
use tracing::warn;

/// In the certificate of every server of the bus.
const BUS_IDENTITY: &str = "nats";
/// Whose certificates may ask; the same table as the Python services'.
const CALLERS: [&str; 4] = ["cli", "gateway", IDENTITY, "risk"];
/// The longest handshake; whoever is slower is no process of this deployment.
const HANDSHAKE_SECONDS: Duration = Duration::from_secs(5);
const WAITING_MAX: usize = 64;

/// For a client of the bus: each handshake presents the newest certificate, trusts the newest
/// authorities, and knows the server by its name, not by its address.
pub(crate) fn bus_config(certificates: &Arc<Certificates>) -> Result<ClientConfig, Error> {
    let newest = Arc::new(Newest(Arc::clone(certificates)));
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&newest) as Arc<dyn ServerCertVerifier>)
        .with_client_cert_resolver(newest);
    // A resumed connection would go on with a former certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// For this program when it asks the service whose files it has: it presents nothing, as every probe.
pub(crate) fn self_config(certificates: &Certificates) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_webpki_verifier(Arc::clone(&certificates.now().verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Connections with a certificate of the deployment, as they come.
pub(crate) fn secured(
    listener: TcpListener,
    certificates: Arc<Certificates>,
) -> ReceiverStream<io::Result<TlsStream<TcpStream>>> {
    let (give, taken) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = give.closed() => return,
            };
            let Ok((stream, _)) = accepted else {
                // No file is left; better times come.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let acceptor = TlsAcceptor::from(Arc::clone(&certificates.now().grpc));
            let give = give.clone();
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                if let Ok(Ok(one)) = timeout(HANDSHAKE_SECONDS, acceptor.accept(stream)).await {
                    let _ = give.send(Ok(one)).await;
                }
            });
        }
    });
    ReceiverStream::new(taken)
}

/// Lets in who presents a certificate of one of the service's callers.
pub(crate) fn known_caller(request: Request<()>) -> Result<Request<()>, Status> {
    let chain = request.peer_certs().unwrap_or_default();
    let Some(leaf) = chain.first() else {
        return Err(Status::unauthenticated(
            "monte_carlo asks for a certificate",
        ));
    };
    let names = names_of(leaf);
    if names.iter().any(|name| CALLERS.contains(&name.as_str())) {
        return Ok(request);
    }
    let (known, first) = (CALLERS.join(", "), names.first().map_or("", String::as_str));
    warn!(names = names.join(", "), "caller_refused");
    let told = format!("monte_carlo answers to {known}, not to {first}");
    Err(Status::permission_denied(told))
}

#[derive(Debug)]
struct Newest(Arc<Certificates>);

impl ResolvesClientCert for Newest {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.now().own))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ServerCertVerifier for Newest {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = ServerName::try_from(BUS_IDENTITY)
            .map_err(|error| Error::General(error.to_string()))?;
        let verifier = &self.0.now().verifier;
        verifier.verify_server_cert(leaf, between, &name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .now()
            .verifier
            .verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .now()
            .verifier
            .verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.now().verifier.supported_verify_schemes()
    }
}
