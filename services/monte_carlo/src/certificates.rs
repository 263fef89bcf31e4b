//! The process's certificate, its key and the authorities that it trusts: PEM files that are read
//! again when they change. A renewal that does not fit leaves in force what was there.

use crate::settings::TlsFiles;
use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore, ServerConfig};
use tracing::{info, warn};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The name that this service's certificate bears.
pub(crate) const IDENTITY: &str = "monte-carlo";

/// The files as they were at one time.
pub(crate) struct Reading {
    /// For the gRPC port, whose clients must present a certificate.
    pub(crate) grpc: Arc<ServerConfig>,
    /// For the HTTP port, which takes whoever comes.
    pub(crate) https: Arc<ServerConfig>,
    /// What is presented to others.
    pub(crate) own: Arc<CertifiedKey>,
    /// Whom the authorities vouch for.
    pub(crate) verifier: Arc<WebPkiServerVerifier>,
    /// When the certificate ends, seconds since 1970.
    pub(crate) expires_seconds: i64,
}

/// The files of this process.
pub(crate) struct Certificates {
    files: TlsFiles,
    state: Mutex<State>,
}

struct State {
    stamp: Stamp,
    reading: Arc<Reading>,
    kept_because: String,
}

type Stamp = [(i64, i64, u64, u64); 3];

impl Certificates {
    /// Reads the files for the first time; a sentence where they do not fit.
    pub(crate) fn open(files: &TlsFiles) -> Result<Self, String> {
        let (stamp, reading) = read(files)?;
        let state = State {
            stamp,
            reading,
            kept_because: String::new(),
        };
        Ok(Self {
            files: files.clone(),
            state: Mutex::new(state),
        })
    }

    /// What is in force; the files are read first where they have changed.
    pub(crate) fn now(&self) -> Arc<Reading> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match stamp(&self.files) {
            Ok(found) if found == state.stamp => {}
            Ok(_) => match read(&self.files) {
                Ok((stamp, reading)) => {
                    let expires_seconds = reading.expires_seconds;
                    info!(expires_seconds, "certificate_renewed");
                    (state.stamp, state.reading) = (stamp, reading);
                    state.kept_because.clear();
                }
                Err(why) => keep(&mut state, why),
            },
            Err(why) => keep(&mut state, why),
        }
        Arc::clone(&state.reading)
    }
}

impl Debug for Certificates {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Certificates({})",
            self.files.certificate.display()
        )
    }
}

/// The cryptography that every connection uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The DNS names of a certificate.
pub(crate) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(found)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = found.value.general_names.iter();
    let dns = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_string()),
        _ => None,
    });
    dns.collect()
}

fn keep(state: &mut State, why: String) {
    if state.kept_because != why {
        warn!(reason = why, "certificate_kept");
        state.kept_because = why;
    }
}

fn unread(file: &Path, error: &dyn fmt::Display) -> String {
    format!("TLS file {} can't be read: {error}", file.display())
}

fn stamp(files: &TlsFiles) -> Result<Stamp, String> {
    let of = |file: &Path| {
        fs::metadata(file)
            .map(|one| (one.mtime(), one.mtime_nsec(), one.size(), one.ino()))
            .map_err(|error: io::Error| unread(file, &error))
    };
    Ok([of(&files.ca)?, of(&files.certificate)?, of(&files.key)?])
}

/// A reading of files that did not change meanwhile.
fn read(files: &TlsFiles) -> Result<(Stamp, Arc<Reading>), String> {
    let before = stamp(files)?;
    let reading = reading(files)?;
    if stamp(files)? == before {
        return Ok((before, Arc::new(reading)));
    }
    Err(format!("{} is being written", files.certificate.display()))
}

fn reading(files: &TlsFiles) -> Result<Reading, String> {
    let (ca, place, key) = (&files.ca, files.certificate.display(), files.key.display());
    let nonsense = || format!("{place} and {key} hold no certificate with its key");
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(ca)?);
    let roots = Arc::new(roots);
    let chain = certificates(&files.certificate)?;
    let secret = fs::read(&files.key).map_err(|error| unread(&files.key, &error))?;
    let secret = PrivateKeyDer::from_pem_slice(&secret).map_err(|_| nonsense())?;
    let own = CertifiedKey::from_der(chain, secret, &provider()).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            format!("the key in {key} is not of the certificate in {place}")
        }
        _ => nonsense(),
    })?;
    let own = Arc::new(own);
    let leaf = own.end_entity_cert().map_err(|_| nonsense())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider());
    let verifier = verifier.build().map_err(|_| no_authority(ca))?;
    let expires_seconds = check(files, &verifier, &own.cert, leaf)?;
    let callers = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let callers = callers.build().map_err(|_| no_authority(ca))?;
    let failed = |error: Error| format!("{place}: {error}");
    let builder =
        || ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let resolver = || Arc::new(SingleCertAndKey::from(Arc::clone(&own)));
    let mut grpc = builder()
        .map_err(failed)?
        .with_client_cert_verifier(callers)
        .with_cert_resolver(resolver());
    grpc.alpn_protocols = vec![b"h2".to_vec()];
    let mut https = builder()
        .map_err(failed)?
        .with_no_client_auth()
        .with_cert_resolver(resolver());
    https.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Reading {
        grpc: Arc::new(grpc),
        https: Arc::new(https),
        own: Arc::clone(&own),
        verifier,
        expires_seconds,
    })
}

/// The end of a certificate that peers will take; what they would say of it where they will not.
fn check(
    files: &TlsFiles,
    verifier: &WebPkiServerVerifier,
    chain: &[CertificateDer<'_>],
    leaf: &CertificateDer<'_>,
) -> Result<i64, String> {
    let place = files.certificate.display();
    let name = ServerName::try_from(IDENTITY).map_err(|error| error.to_string())?;
    let between = chain.get(1..).unwrap_or_default();
    let verdict = verifier.verify_server_cert(leaf, between, &name, &[], UnixTime::now());
    if let Err(error) = verdict {
        let names = names_of(leaf).join(", ");
        return Err(match error {
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => format!("{place} must bear the name {IDENTITY}; it names {names}"),
            Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => format!("{place} is not trusted: certificate has expired"),
            error => format!("{place} is not trusted by {}: {error}", files.ca.display()),
        });
    }
    let (_, parsed) =
        X509Certificate::from_der(leaf).map_err(|error| format!("{place}: {error}"))?;
    Ok(parsed.validity().not_after.timestamp())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = fs::read(file).map_err(|error| unread(file, &error))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("{} holds no certificate", file.display())),
    }
}

fn no_authority(file: &Path) -> String {
    format!("{} holds no certificate of an authority", file.display())
}
