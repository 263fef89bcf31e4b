//! The settings that there are, as `--help` tells them.

/// A setting as `--help` tells it.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
}

const fn key(name: &'static str, default: &'static str, about: &'static str) -> Key {
    Key {
        name,
        default,
        about,
    }
}

pub(crate) const KEYS: &[Key] = &[
    key(
        "nats_url",
        "nats://127.0.0.1:4222",
        "the NATS server; tls:// with TLS settings",
    ),
    key(
        "nats_seed_file",
        "none",
        "file with the service's nkey seed, read again at each connection; none where the server \
         has no accounts",
    ),
    key(
        "workers",
        "one per processor",
        "threads that compute paths, 1 to 1024",
    ),
    key(
        "run_work_max",
        "20000000000",
        "largest simulations x time_steps x assets of one run",
    ),
    key(
        "work_in_flight_max",
        "80000000000",
        "largest sum of that over the runs under way, half of it for one client; others wait",
    ),
    key(
        "run_seconds_max",
        "600.0",
        "longest time from the request of a run to its result",
    ),
    key(
        "host",
        "127.0.0.1",
        "address that the service's own ports listen on",
    ),
    key(
        "grpc_port",
        "0",
        "gRPC: health, reflection and the service's questions; 0 takes a free port and logs it",
    ),
    key(
        "http_port",
        "0",
        "/metrics, /healthz and /readyz; 0 takes a free port and logs it",
    ),
    key(
        "allowed_hosts",
        "[]",
        "further names in the Host header of requests to the HTTP port, such as a container's; its \
         address and this machine's own names always pass",
    ),
    key(
        "tls_ca_file",
        "none",
        "PEM file of the authorities that sign this deployment's certificates; with the two below, \
         every connection is TLS; none leaves all plain, for loopback",
    ),
    key(
        "tls_certificate_file",
        "none",
        "PEM file of this process's certificate, read again when it changes",
    ),
    key("tls_key_file", "none", "PEM file of the certificate's key"),
    key("drain_seconds", "10.0", "longest time for a clean stop"),
    key(
        "stall_seconds",
        "10.0",
        "/healthz fails when the event loop did not turn for so long",
    ),
    key(
        "log_level",
        "info",
        "least severe event that is logged: debug, info, warning or error",
    ),
    key(
        "debug_mode",
        "false",
        "log everything, as verbose_logging does",
    ),
    key(
        "verbose_logging",
        "false",
        "log everything, whatever log_level says",
    ),
];
