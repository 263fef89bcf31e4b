"""server_config: the text of nats-server's configuration file; pure."""

import json
from dataclasses import dataclass
from pathlib import Path

from stratvector.runtime.certificates import TlsFiles

MAX_PAYLOAD_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class ServerSettings:
    """Where one nats-server listens and what it keeps.

    store : folder of the streams. port : where clients connect. monitor_port : plain HTTP for
    /healthz and /varz on the same host, None is none. max_payload_bytes : the largest message.
    tls : the server's own certificate, and who signs those of its clients; None is plain text.
    """

    store: Path
    port: int
    host: str = "127.0.0.1"
    monitor_port: int | None = None
    max_payload_bytes: int = MAX_PAYLOAD_BYTES
    tls: TlsFiles | None = None

    def __post_init__(self) -> None:
        for name, port in (("port", self.port), ("monitor_port", self.monitor_port)):
            if port is not None and not 1 <= port <= 65_535:
                raise ValueError(f"nats {name} is {port}; 1 <= port <= 65535 must hold")
        if not 1 <= self.max_payload_bytes <= MAX_PAYLOAD_BYTES:
            raise ValueError(
                f"nats max_payload_bytes is {self.max_payload_bytes}; "
                f"1 <= max_payload_bytes <= {MAX_PAYLOAD_BYTES} must hold"
            )


def server_config(settings: ServerSettings, name: str, accounts: str = "") -> str:
    """The whole file.

    name : what the server calls itself to clients. accounts : the part that `accounts.py` writes;
    empty lets everybody on the host do everything. Every acknowledged message is on disk
    (`sync_interval: always`).
    """
    lines = [
        f"server_name: {quoted(name)}",
        f"listen: {quoted(f'{settings.host}:{settings.port}')}",
        f"max_payload: {settings.max_payload_bytes}",
        "jetstream {",
        f"  store_dir: {quoted(str(settings.store))}",
        "  sync_interval: always",
        "}",
    ]
    if settings.tls is not None:
        lines += tls_block(settings.tls)
    if settings.monitor_port is not None:
        lines.append(f"http: {quoted(f'{settings.host}:{settings.monitor_port}')}")
    return "\n".join([*lines, accounts])


def tls_block(files: TlsFiles) -> list[str]:
    """Every client speaks TLS from its first byte and presents a certificate. The server reads the
    files again when it is sent SIGHUP.
    """
    return [
        "tls {",
        f"  ca_file: {quoted(str(files.authorities))}",
        f"  cert_file: {quoted(str(files.certificate))}",
        f"  key_file: {quoted(str(files.key))}",
        "  verify: true",
        "  handshake_first: true",
        "}",
    ]


def quoted(text: str) -> str:
    """A string of the configuration language, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)
