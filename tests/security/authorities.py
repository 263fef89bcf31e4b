"""Certificates for tests: a deployment's own, a stranger's, expired ones; and who presents them."""

import socket
import ssl
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stratvector.cli import certificates
from stratvector.cli.certificates import ensure_certificates
from stratvector.runtime.certificates import IDENTITIES, Certificates, TlsFiles, identity_of
from stratvector.runtime.process.transport import Transport

LOCAL = {identity: ["localhost"] for identity in IDENTITIES}


class Authorities:
    """Folders of certificates, each of an authority of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._days = folder, certificates.LEAF_DAYS
        ensure_certificates(self.own, LOCAL)

    @property
    def own(self) -> Path:
        """The deployment's."""
        return self.folder / "own"

    @property
    def stranger(self) -> Path:
        """With the same names, of another authority; made when it is asked for first."""
        folder = self.folder / "stranger"
        ensure_certificates(folder, LOCAL)
        return folder

    def renew(self) -> None:
        """All leaves anew, each time for a day less: ends tell one from another."""
        self._days -= 1
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(certificates, "LEAF_DAYS", self._days)
            ensure_certificates(self.own, LOCAL, renew=True)

    def expired(self, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The deployment's authority, with leaves that ended long ago."""
        folder = self.folder / "expired"
        folder.mkdir()
        for name in ("ca.crt", "ca.key"):
            (folder / name).write_bytes((self.own / name).read_bytes())
        with monkeypatch.context() as patched:
            backdated = timedelta(days=certificates.LEAF_DAYS + 30)
            patched.setattr(certificates, "BACKDATED", backdated)
            ensure_certificates(folder, LOCAL)
        return folder

    def transport(self, service: str, folder: Path | None = None) -> Transport:
        """What a process of the service has."""
        identity = identity_of(service)
        return Transport(service, Certificates(files_of(folder or self.own, identity), identity))


def files_of(folder: Path, identity: str) -> TlsFiles:
    place = folder / identity
    return TlsFiles(place / "ca.crt", place / "tls.crt", place / "tls.key")


def channel_credentials(own: TlsFiles) -> grpc.ChannelCredentials:
    """Of a client that presents a certificate."""
    return grpc.ssl_channel_credentials(
        own.authorities.read_bytes(), own.key.read_bytes(), own.certificate.read_bytes()
    )


def tls_settings(folder: Path, identity: str) -> dict[str, Any]:
    """As a settings file names them."""
    files = files_of(folder, identity)
    return {
        "tls_ca_file": files.authorities,
        "tls_certificate_file": files.certificate,
        "tls_key_file": files.key,
    }


def take(content: bytes, target: Path) -> None:
    """Whole at once, as a mounted Secret changes."""
    part = target.with_suffix(".part")
    part.write_bytes(content)
    part.replace(target)


def is_presented(port: int, folder: Path, identity: str) -> bool:
    """Whether a port presents the certificate that an identity's files hold now, to a client that
    does not say whom it looks for.
    """
    presented = ssl.get_server_certificate(("127.0.0.1", port), timeout=10)
    return presented.strip() == files_of(folder, identity).certificate.read_text().strip()


def plain_answer(port: int) -> bytes:
    """What a port says to a request in plain text."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        with suppress(ConnectionError), client.makefile("rb") as said:
            return said.read()
    return b""


def health_of(
    address: str, asked: str, trusted: Path, presented: TlsFiles | None, patience: float = 10.0
) -> tuple[str, str]:
    """Code and words of one health question on a new connection; ("OK", "") for an answer.

    asked : the identity that the server must have. presented : None comes without a certificate.
    """
    own: tuple[bytes | None, bytes | None] = (None, None)
    if presented is not None:
        own = presented.key.read_bytes(), presented.certificate.read_bytes()
    credentials = grpc.ssl_channel_credentials(trusted.read_bytes(), *own)
    options = (
        ("grpc.ssl_target_name_override", asked),
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
    )
    with grpc.secure_channel(address, credentials, options=options) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            stub.Check(health_pb2.HealthCheckRequest(), timeout=patience)
        except grpc.RpcError as error:
            call: Any = error
            return call.code().name, call.details()
    return "OK", ""


def accounts_of(*keys: str) -> str:
    """One account, whose users these public keys are, in the server's configuration."""
    return f"accounts {{ ONE: {{ users: [{', '.join(f'{{nkey: {key}}}' for key in keys)}] }} }}"


def page_of(address: str, trusted: Path) -> str:
    """A page by HTTPS, whatever its code, from whoever has a certificate for localhost."""
    context = ssl.create_default_context(cafile=trusted)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(address, timeout=10) as answer:
            text: str = answer.read().decode()
    except urllib.error.HTTPError as error:
        text = error.read().decode()
    return text
