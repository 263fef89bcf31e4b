"""transport: TLS between the processes: the ways to other services, and this one's own ports.

Without TLS settings a channel is plain, as everything is on loopback. With them nothing falls back:
a channel presents this process's certificate and asks for the identity of the service behind the
address, whatever the address is. A process has one transport, or none; channels ask for it.
"""

import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from stratvector.runtime.certificates import (
    BadCertificate,
    Certificates,
    TlsFiles,
    identity_of,
)
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.telemetry import client_interceptors

if TYPE_CHECKING:
    import grpc
    import grpc.aio

    from stratvector.runtime.process.settings import ProcessSettings

Options = Sequence[tuple[str, Any]]


class Transport:
    """The certificates of a process, as its ports and channels need them.

    service : whose they are.
    """

    def __init__(self, service: str, certificates: Certificates) -> None:
        self.service, self.certificates = service, certificates

    def https(self) -> ssl.SSLContext:
        """For a port that takes whoever comes; new connections see the newest certificate."""
        return self.certificates.now().https

    def server_credentials(self) -> "grpc.ServerCredentials":
        """For a gRPC port whose clients must present a certificate, read again at handshakes."""
        import grpc

        told = self.certificates.now()

        def newest() -> "grpc.ServerCertificateConfiguration | None":
            nonlocal told
            before, told = told, self.certificates.now()
            return None if told is before else self._configuration()

        # Nothing says that nothing changed, which the library's types leave out.
        fetch = cast("Callable[[], grpc.ServerCertificateConfiguration]", newest)
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(), fetch, require_client_authentication=True
        )

    def channel_credentials(self) -> "grpc.ChannelCredentials":
        """For a channel that is made now."""
        import grpc

        now = self.certificates.now()
        return grpc.ssl_channel_credentials(now.authorities, now.key, now.certificate)

    def _configuration(self) -> "grpc.ServerCertificateConfiguration":
        import grpc

        now = self.certificates.now()
        return grpc.ssl_server_certificate_configuration(
            [(now.key, now.certificate)], now.authorities
        )


class ServiceChannel:
    """The way to one service at an address; another channel after each change of certificates.

    The channel before a change stays open until `close`, for the calls that are under way on it.
    transport : None is the process's own.
    """

    def __init__(
        self, service: str, address: str, options: Options, transport: Transport | None = None
    ) -> None:
        self._service, self._address, self._options = service, address, tuple(options)
        self._transport = transport or current_transport()
        self._reading: object = None
        self._channel: grpc.aio.Channel | None = None
        self._former = list["grpc.aio.Channel"]()

    def now(self) -> "grpc.aio.Channel":
        """To ask on."""
        transport = self._transport
        reading = None if transport is None else transport.certificates.now()
        if self._channel is None or reading is not self._reading:
            if self._channel is not None:
                self._former.append(self._channel)
            self._reading, self._channel = reading, self._opened()
        return self._channel

    async def close(self) -> None:
        """Let go of all connections, and of what gRPC's thread lives for."""
        channels, self._former = self._former, []
        if self._channel is not None:
            channels.append(self._channel)
        self._channel = None
        for channel in channels:
            await channel.close()

    def _opened(self) -> "grpc.aio.Channel":
        import grpc.aio

        interceptors = client_interceptors()
        if self._transport is None:
            return grpc.aio.insecure_channel(
                self._address, options=self._options, interceptors=interceptors
            )
        named = ("grpc.ssl_target_name_override", identity_of(self._service))
        return grpc.aio.secure_channel(
            self._address,
            self._transport.channel_credentials(),
            options=(*self._options, named),
            interceptors=interceptors,
        )


_of_process: list[Transport] = []


def start_transport(service: str, settings: "ProcessSettings") -> Transport | None:
    """This process's transport, from now on; None without TLS settings. Raises CannotStart."""
    files = tls_files(settings)
    if files is None:
        return None
    try:
        transport = Transport(service, Certificates(files, identity_of(service)))
    except BadCertificate as error:
        raise CannotStart(str(error)) from None
    use_transport(transport)
    return transport


def use_transport(transport: Transport | None) -> None:
    """The same as this process's, from now on."""
    _of_process[:] = [] if transport is None else [transport]


def current_transport() -> Transport | None:
    """What this process uses."""
    return _of_process[-1] if _of_process else None


def tls_files(settings: "ProcessSettings") -> TlsFiles | None:
    """The files that the settings name."""
    ca, certificate = settings.tls_ca_file, settings.tls_certificate_file
    key = settings.tls_key_file
    if ca is None or certificate is None or key is None:
        return None
    return TlsFiles(ca, certificate, key)
