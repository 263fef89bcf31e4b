//! The parts that must last as long as the process: without one of them it would look alive and
//! do nothing, so it ends instead, and its supervisor starts it again.

use crate::ending::Ending;
use crate::http_port::HttpPort;
use crate::life::Work;
use std::fmt::Display;

/// Waits, as long as all is well, for the first part that ends although nobody asked it to.
pub(crate) async fn first_end(http: &mut HttpPort, work: &mut Work) -> Ending {
    tokio::select! {
        ending = http_end(http) => ending,
        end = work.grpc.end() => ended("the gRPC port", end),
        end = &mut work.coordinator => ended("the coordinator", end),
        end = &mut work.worker => ended("the worker", end),
    }
}

/// The same before there is work.
pub(crate) async fn http_end(http: &mut HttpPort) -> Ending {
    ended("the HTTP port", http.end().await)
}

fn ended<E: Display>(part: &str, end: Result<(), E>) -> Ending {
    let why = end.map_or_else(|error| format!(": {error}"), |()| String::new());
    Ending::PartEnded(format!("{part} ended without being asked to{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::start;
    use crate::metrics::Metrics;
    use crate::settings::Settings;
    use crate::status::Status;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    const PATIENCE_SECONDS: Duration = Duration::from_secs(60);

    /// As much of a NATS server as a client needs that asks nothing; where it listens.
    async fn quiet_nats() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let hello = r#"INFO {"server_id":"quiet","headers":true,"max_payload":1048576}"#;
            let _ = client.write_all(format!("{hello}\r\n").as_bytes()).await;
            let mut words = [0; 4096];
            while let Ok(1..) = client.read(&mut words).await {
                let _ = client.write_all(b"PONG\r\n").await;
            }
        });
        url
    }

    /// Every part of a process that works.
    async fn parts() -> (Arc<Status>, HttpPort, Work) {
        let url = ("STRATVECTOR_MONTE_CARLO_NATS_URL", quiet_nats().await);
        let environment = [(url.0.into(), url.1.into())];
        let settings = Settings::load(None, environment.into_iter()).unwrap();
        let status = Arc::new(Status::new(settings.stall));
        let metrics = Arc::new(Metrics::new(None).unwrap());
        let http = HttpPort::open(
            "127.0.0.1",
            0,
            Arc::clone(&status),
            Arc::clone(&metrics),
            &[],
            None,
        );
        let work = start(&settings, "test", &status, metrics, None)
            .await
            .unwrap();
        (status, http.unwrap(), work)
    }

    async fn sentence(http: &mut HttpPort, work: &mut Work) -> String {
        let ending = timeout(PATIENCE_SECONDS, first_end(http, work)).await;
        let Ok(Ending::PartEnded(sentence)) = ending else {
            panic!("{ending:?}");
        };
        sentence
    }

    #[tokio::test]
    async fn as_long_as_every_part_lasts_there_is_no_end() {
        let (status, mut http, mut work) = parts().await;
        assert!(status.readiness().1);
        let soon = Duration::from_millis(200);
        assert!(
            timeout(soon, first_end(&mut http, &mut work))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_grpc_port_that_ended_is_named() {
        let (_, mut http, mut work) = parts().await;
        work.grpc.refuse_new();
        let told = sentence(&mut http, &mut work).await;
        assert_eq!(told, "the gRPC port ended without being asked to");
    }

    #[tokio::test]
    async fn a_worker_that_panicked_is_named_with_its_last_words() {
        let (_, mut http, mut work) = parts().await;
        work.worker = tokio::spawn(async { panic!("no such shard") });
        let told = sentence(&mut http, &mut work).await;
        assert!(told.starts_with("the worker ended without being asked to: "));
        assert!(told.contains("no such shard"), "{told}");
    }

    #[tokio::test]
    async fn a_coordinator_that_panicked_is_named_with_its_last_words() {
        let (_, mut http, mut work) = parts().await;
        work.coordinator = tokio::spawn(async { panic!("no such run") });
        let told = sentence(&mut http, &mut work).await;
        assert!(told.starts_with("the coordinator ended without being asked to: "));
        assert!(told.contains("no such run"), "{told}");
    }

    #[tokio::test]
    async fn a_worker_whose_connection_is_closed_ends() {
        let (_, mut http, mut work) = parts().await;
        work.bus.client.drain().await.unwrap();
        let told = sentence(&mut http, &mut work).await;
        assert_eq!(told, "the worker ended without being asked to");
    }
}
