//! The NATS connection: waited for, and come back to for ever.

use crate::certificates::Certificates;
use crate::ending::Ending;
use crate::settings::Settings;
use crate::transport::bus_config;
use async_nats::connection::State;
use async_nats::{Auth, AuthError, Client, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_rustls::rustls::ClientConfig;
use tracing::{info, warn};

const CONNECT_SECONDS: Duration = Duration::from_secs(2);
const RETRY_SECONDS: Duration = Duration::from_millis(100);
// A peer that is gone without a word is noticed after missed answers.
const PING_SECONDS: Duration = Duration::from_secs(3);

/// The connection and where it goes.
#[derive(Clone)]
pub(crate) struct Bus {
    pub(crate) client: Client,
    pub(crate) url: String,
    connections: Arc<watch::Sender<u64>>,
}

impl Bus {
    /// Connects, however long that takes; `tell` takes why it does not work yet.
    pub(crate) async fn connect(
        settings: &Settings,
        instance: &str,
        certificates: Option<&Arc<Certificates>>,
        tell: impl Fn(String),
    ) -> Result<Self, Ending> {
        let url = settings.nats_url.clone();
        let seed = settings.nats_seed_file.as_deref();
        seed.map(read_seed).transpose()?;
        let tls = certificates.map(bus_config).transpose();
        let tls = tls.map_err(|error| Ending::Refused(error.to_string()))?;
        let waiting = format!("waiting for NATS at {url}");
        tell(waiting.clone());
        let connections = Arc::new(watch::Sender::new(0));
        let mut told = String::new();
        loop {
            match options(instance, seed, tls.clone(), Arc::clone(&connections))
                .connect(url.as_str())
                .await
            {
                Ok(client) => {
                    return Ok(Self {
                        client,
                        url,
                        connections,
                    });
                }
                Err(error) => {
                    let why = why_not(settings, instance, &error)?;
                    if why != told {
                        warn!(url, reason = why, "waiting for the bus");
                        tell(format!("{waiting}: {why}"));
                        told = why;
                    }
                }
            }
            tokio::time::sleep(RETRY_SECONDS).await;
        }
    }

    /// Whether the server is there.
    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Counts the connections so far: what was under way on another one is lost.
    pub(crate) fn connection(&self) -> u64 {
        *self.connections.borrow()
    }

    /// Returns when there is another connection: no answer comes to what was asked before.
    pub(crate) async fn reconnected(&self) {
        drop(self.connections.subscribe().changed().await);
    }

    /// Why the process is not ready though it runs; empty when all is well.
    pub(crate) fn trouble(&self) -> String {
        if self.is_connected() {
            String::new()
        } else {
            format!("waiting for NATS at {}", self.url)
        }
    }
}

fn options(
    instance: &str,
    seed: Option<&Path>,
    tls: Option<ClientConfig>,
    connections: Arc<watch::Sender<u64>>,
) -> ConnectOptions {
    let options = match seed.map(Path::to_path_buf) {
        // At each connection anew: a key that is replaced needs no new process.
        Some(file) => ConnectOptions::with_auth_callback(move |nonce| {
            let signed = signed(&file, &nonce);
            async move { signed }
        }),
        None => ConnectOptions::new(),
    };
    let options = options
        .name(instance)
        .connection_timeout(CONNECT_SECONDS)
        .ping_interval(PING_SECONDS)
        .max_reconnects(None)
        .reconnect_delay_callback(|_| RETRY_SECONDS)
        .event_callback(move |event| {
            if event == Event::Connected {
                connections.send_modify(|count| *count += 1);
            }
            async move { tell(&event) }
        });
    match tls {
        Some(config) => options.tls_first().tls_client_config(config),
        None => options,
    }
}

/// The public key of the seed in a file, and the server's nonce signed with it.
fn signed(file: &Path, nonce: &[u8]) -> Result<Auth, AuthError> {
    let seed = read_seed(file).map_err(|ending| {
        let why = ending.sentence().unwrap_or_default().to_owned();
        warn!(reason = why, "seed_unread");
        AuthError::new(why)
    })?;
    let pair = nkeys::KeyPair::from_seed(&seed).map_err(AuthError::new)?;
    let mut auth = Auth::new();
    auth.nkey = Some(pair.public_key());
    auth.signature = Some(pair.sign(nonce).map_err(AuthError::new)?);
    Ok(auth)
}

fn tell(event: &Event) {
    match event {
        Event::Connected => info!("connected to the bus"),
        Event::Draining | Event::Closed => {}
        // Permission violations arrive here and nowhere else.
        other => warn!(reason = %other, "the bus reports an error"),
    }
}

/// Why there is no connection yet; an ending where waiting would not help.
fn why_not(settings: &Settings, instance: &str, error: &ConnectError) -> Result<String, Ending> {
    let url = &settings.nats_url;
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            let key = match &settings.nats_seed_file {
                None => "without a key".into(),
                Some(file) => format!("the key in {}", file.display()),
            };
            let sentence = format!("{url} refused {instance}: it does not accept {key}");
            Err(Ending::Refused(sentence))
        }
        ConnectErrorKind::ServerParse => {
            let sentence = format!("nats_url can't be '{url}': {error}");
            Err(Ending::WrongSettings(sentence))
        }
        _ => Ok(error.to_string()),
    }
}

/// The seed in a file; the sentence never shows it.
fn read_seed(file: &Path) -> Result<String, Ending> {
    let refused = |why: String| Ending::Refused(format!("seed file {} {why}", file.display()));
    let text = std::fs::read_to_string(file)
        .map_err(|error| refused(format!("can't be read: {error}")))?;
    let seed = text.trim();
    let is_users = nkeys::KeyPair::from_seed(seed)
        .is_ok_and(|pair| pair.key_pair_type() == nkeys::KeyPairType::User);
    if is_users {
        return Ok(seed.into());
    }
    Err(refused(
        "holds no nkey seed of a user; such a seed begins with SU".into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_file_without_a_users_seed_is_refused_and_not_shown() {
        let folder = std::env::temp_dir().join(format!("seeds-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("monte_carlo.seed");
        let account = nkeys::KeyPair::new_account().seed().unwrap();
        for text in ["", "SUNOSEED", account.as_str()] {
            std::fs::write(&file, text).unwrap();
            let Err(Ending::Refused(sentence)) = read_seed(&file) else {
                panic!("{text} was taken");
            };
            assert!(sentence.ends_with("holds no nkey seed of a user; such a seed begins with SU"));
        }
        let user = nkeys::KeyPair::new_user().seed().unwrap();
        std::fs::write(&file, format!("{user}\n")).unwrap();
        assert_eq!(read_seed(&file).unwrap(), user);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
