"""certificates: a process's certificate, its key and the authorities that it trusts: three PEM
files, read again when they change.

What is read is tried at once, by a handshake of the certificate with itself: a key of another
certificate, one that no trusted authority has signed, or one that has expired is refused where it
would otherwise fail at each peer. A renewal that does not fit leaves in force what was there.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import structlog

from stratvector.trading.flow import HOUSE

READ_AGAIN_MAX = 3
TLS_MIN = ssl.TLSVersion.TLSv1_2
Stamp: TypeAlias = tuple[tuple[int, int, int], ...]

BUS_IDENTITY, COMMAND_LINE = "nats", "cli"

log = structlog.get_logger("stratvector.certificates")


class BadCertificate(RuntimeError):
    """Files that no connection can stand on; the message is one sentence."""


def identity_of(service: str) -> str:
    """The DNS name that a service's certificate bears, such as `market-data` of market_data."""
    return service.replace("_", "-")


# Of everybody who has a certificate; Prometheus' tells a scraped process who scrapes.
IDENTITIES = (*(identity_of(one) for one in HOUSE), BUS_IDENTITY, COMMAND_LINE, "prometheus")


@dataclass(frozen=True)
class TlsFiles:
    """PEM files. authorities : whoever these have signed is trusted."""

    authorities: Path
    certificate: Path
    key: Path

    def stamp(self) -> Stamp:
        """Another one after each change. Raises OSError."""
        files = (self.authorities, self.certificate, self.key)
        found = [file.stat() for file in files]
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)


@dataclass(frozen=True)
class Reading:
    """The files as they were at one time.

    names : the DNS names of the certificate. expires_seconds : when it ends, seconds since 1970.
    client : presents the certificate and trusts the authorities. https : serves whoever comes,
    and each new connection with the certificate that is in force then.
    """

    authorities: bytes
    certificate: bytes
    key: bytes
    names: tuple[str, ...]
    expires_seconds: float
    client: ssl.SSLContext
    https: ssl.SSLContext


class Certificates:
    """The files of one process; asked by any thread. Raises BadCertificate.

    identity : a name that the certificate must bear.
    """

    def __init__(self, files: TlsFiles, identity: str) -> None:
        self.files, self.identity = files, identity
        self._lock = Lock()
        self._kept_because = ""
        self._stamp, self._reading = self._read()

    def now(self) -> Reading:
        """What is in force; the files are read first where they have changed."""
        with self._lock:
            try:
                if self._stamped() != self._stamp:
                    self._stamp, self._reading = self._read()
                    self._kept_because = ""
                    log.info("certificate_renewed", expires_seconds=self._reading.expires_seconds)
            except BadCertificate as error:
                if self._kept_because != str(error):
                    self._kept_because = str(error)
                    log.warning("certificate_kept", reason=self._kept_because)
            return self._reading

    def _read(self) -> tuple[Stamp, Reading]:
        """Again where the files change meanwhile."""
        for again in reversed(range(READ_AGAIN_MAX)):
            stamp = self._stamped()
            try:
                reading = self._fit_reading()
            except BadCertificate:
                if not again or self._stamped() == stamp:
                    raise
                continue
            if self._stamped() == stamp:
                return stamp, reading
        raise BadCertificate(f"{self.files.certificate} and its key change again and again")

    def _stamped(self) -> Stamp:
        try:
            return self.files.stamp()
        except OSError as error:
            raise _unread(error) from None

    def _fit_reading(self) -> Reading:
        try:
            reading = _reading(self.files, self.now)
        except OSError as error:
            raise _unread(error) from None
        if self.identity in reading.names:
            return reading
        named = ", ".join(reading.names) or "nobody"
        file = self.files.certificate
        raise BadCertificate(f"{file} must bear the name {self.identity}; it names {named}")


def _unread(error: OSError) -> BadCertificate:
    why = error.strerror or str(error)
    return BadCertificate(f"TLS file {error.filename} can't be read: {why}")


def _reading(files: TlsFiles, now: Callable[[], Reading]) -> Reading:
    """Raises BadCertificate, OSError."""
    authorities, certificate, key = (
        file.read_bytes() for file in (files.authorities, files.certificate, files.key)
    )
    client, https = _client(files), _https(files)
    told = _told_to_itself(files, client, https)
    names = tuple(value for kind, value in told["subjectAltName"] if kind == "DNS")
    expires = float(ssl.cert_time_to_seconds(told["notAfter"]))

    def serve_newest(socket: ssl.SSLObject, _: str | None, context: ssl.SSLContext) -> None:
        socket.context = now().https

    https.sni_callback = serve_newest
    client.check_hostname = True
    return Reading(authorities, certificate, key, names, expires, client, https)


def _client(files: TlsFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.authorities)
    except ssl.SSLError:
        raise BadCertificate(f"{files.authorities} holds no certificate of an authority") from None
    return _with_own(context, files)


def _https(files: TlsFiles) -> ssl.SSLContext:
    return _with_own(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files)


def _with_own(context: ssl.SSLContext, files: TlsFiles) -> ssl.SSLContext:
    context.minimum_version = TLS_MIN
    try:
        # A key with a password would be asked for at the terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            told = f"the key in {files.key} is not of the certificate in {files.certificate}"
            raise BadCertificate(told) from None
        told = f"{files.certificate} and {files.key} hold no certificate with its key"
        raise BadCertificate(told) from None
    return context


def _told_to_itself(
    files: TlsFiles, client: ssl.SSLContext, server: ssl.SSLContext
) -> dict[str, Any]:
    """The certificate as a peer that trusts the same authorities sees it."""
    client.check_hostname = False
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking, serving = client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for side in (asking, serving):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                told = f"{files.certificate} is not trusted by {files.authorities}"
                raise BadCertificate(f"{told}: {error.verify_message}") from None
    told_there: dict[str, Any] = asking.getpeercert() or {}
    return {"subjectAltName": (), **told_there}
