"""connection: a client of the bus that waits for its server, and comes back to it for ever.

BusConnectionError
├── AuthorizationRefused   the server does not know the key: waiting would not help
├── UnfitScheme            the address and the TLS settings contradict each other
└── ServerUnreachable      no server answered in the time given
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import StaleConnectionError

from stratvector.runtime.certificates import BUS_IDENTITY, Certificates
from stratvector.runtime.jetstream.keys import BadSeedFile, read_seed, unfit_scheme
from stratvector.runtime.jetstream.server_config import MAX_PAYLOAD_BYTES

RETRY_SECONDS = 0.1
CONNECT_SECONDS = 2.0
# A peer that is gone without a word is noticed after three missed answers.
PING_SECONDS = 3.0
PINGS_MAX = 2
PENDING_BYTES_MAX = 2 * MAX_PAYLOAD_BYTES
REFUSAL = "authorization violation"
Tell = Callable[[str], None]

log = structlog.get_logger("stratvector.bus")


class BusConnectionError(RuntimeError):
    """Base of what `connect` raises."""


class AuthorizationRefused(BusConnectionError):
    """The server refused the key."""

    def __init__(self, name: str, url: str, seed_file: Path | None) -> None:
        key = "without a key" if seed_file is None else f"the key in {seed_file}"
        super().__init__(f"{url} refused {name}: it does not accept {key}")
        self.url, self.seed_file = url, seed_file


class UnfitScheme(BusConnectionError):
    """TLS without certificates, or certificates without TLS."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"the bus can't be {url}: {why}")
        self.url = url


class ServerUnreachable(BusConnectionError):
    """Nobody answered in time."""

    def __init__(self, url: str, wait_seconds: float, why: str) -> None:
        super().__init__(f"no nats-server answered at {url} within {wait_seconds:g} s: {why}")
        self.url = url


class ConnectionBroke(NatsError):
    """The socket failed while something was written to it, before the client knew that it had."""


class Link:
    """What a client tells about its connection, one line per change.

    on_waiting : called once when the first attempt found no server. on_closed : called when the
    client gave up for good (the server sent it away), never for its own `close`.
    """

    def __init__(
        self, name: str, url: str, on_waiting: Tell | None, on_closed: Tell | None
    ) -> None:
        self._log = log.bind(client=name, url=url)
        self._on_waiting, self._on_closed = on_waiting, on_closed
        self._told = False
        self.up = False
        self.was_up = False
        self.closing = False
        self.why = "no answer"
        self._first_until = float("inf")

    def wait_until(self, deadline: float) -> None:
        """When the first connection is given up, by the loop's clock. A deadline's cancellation can
        be lost: Python 3.11's wait_for swallows one that comes as an attempt fails.
        """
        self._first_until = deadline

    async def error(self, error: Exception) -> None:
        """An attempt that failed, or a message that the server refused; nothing of a client that is
        being closed, whose last words may fail too.
        """
        if self.closing:
            return
        self.why = str(error) or type(error).__name__
        if self.up:
            # Permission violations arrive here and nowhere else.
            self._log.error("the bus reports an error", reason=self.why)
            return
        if REFUSAL in self.why.lower() and not self.was_up:
            raise _Refused
        if not self.was_up and asyncio.get_running_loop().time() > self._first_until:
            raise _TooLate
        told, self._told = self._told, True
        if not told:
            self._log.warning("waiting for the bus", reason=self.why)
            if self._on_waiting is not None and not self.was_up:
                self._on_waiting(self.why)

    async def connected(self) -> None:
        """It is there, or back with its subscriptions."""
        self._log.info("connected to the bus again" if self.was_up else "connected to the bus")
        self.up = self.was_up = True

    async def disconnected(self) -> None:
        """The connection broke; the client goes on trying."""
        self.up = self._told = False

    def closed(self, why: str) -> None:
        """The client will not try again."""
        self.up = False
        if not self.closing:
            self._log.error("the bus closed the connection for good", reason=why)
            if self._on_closed is not None:
                self._on_closed(why)


class BusClient(Client):
    """A client that knows its own `close` from the server's, and leaves no task behind.

    seed_file, certificates : read again at each connection, so that new ones need no new process.
    """

    def __init__(
        self, link: Link, seed_file: Path | None, certificates: Certificates | None
    ) -> None:
        super().__init__()
        self._link = link
        self._seed_file, self._certificates = seed_file, certificates

    async def _process_connect_init(self) -> None:
        """The handshake of each connection, with the secrets that are in force now."""
        if self._certificates is not None:
            self.options["tls"] = self._certificates.now().client
        self._take_up_seed()
        await super()._process_connect_init()
        if self._certificates is not None:
            _tell_stream_of_tls(self._transport)

    async def _process_err(self, err_msg: str) -> None:
        """Whose key the server has dropped comes back with the new one, as soon as there is one."""
        if REFUSAL in err_msg.lower() and self._seed_file is not None:
            await self._process_op_err(StaleConnectionError())
            return
        await super()._process_err(err_msg)

    def _take_up_seed(self) -> None:
        if self._seed_file is None:
            return
        try:
            self._nkeys_seed_str = read_seed(self._seed_file)
        except BadSeedFile as error:
            log.warning("seed_kept", reason=str(error))
            return
        self._setup_nkeys_connect()

    async def publish(self, *arguments: Any, **options: Any) -> None:
        """As the client does. Raises NatsError, whatever the socket says."""
        try:
            await super().publish(*arguments, **options)
        except (OSError, RuntimeError) as error:
            raise ConnectionBroke(str(error)) from error

    async def subscribe(self, *arguments: Any, **options: Any) -> Subscription:
        """As the client does. Raises NatsError, whatever the socket says."""
        try:
            return await super().subscribe(*arguments, **options)
        except (OSError, RuntimeError) as error:
            raise ConnectionBroke(str(error)) from error

    async def close(self) -> None:
        """Close; afterwards there is neither a socket nor a task."""
        self._link.closing = True
        tasks = [
            self._reading_task,
            self._ping_interval_task,
            self._flusher_task,
            self._reconnection_task,
            *(subscription._wait_for_msgs_task for subscription in self._subs.values()),
        ]
        current = asyncio.current_task()
        assert current is not None
        if not self.is_connected:
            # It would be written to the broken socket of a server that is gone.
            self._pending, self._pending_data_size = [], 0
        try:
            await super().close()
        except OSError as error:
            # The server went away while it was told the last words.
            self._link.why = str(error)
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            # A reconnection that is cancelled while it waits for its old socket cancels the same
            # wait here; by then everything is closed.
            if current.cancelling():
                raise
        ending = [task for task in tasks if task is not None and task is not current]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def tell_closed(self) -> None:
        """For the moment when it is closed, by whomever."""
        self._link.closed(str(self.last_error))

    async def drain(self) -> None:
        """Let what is under way arrive, then close."""
        self._link.closing = True
        await super().drain()


def _tell_stream_of_tls(transport: Any) -> None:
    """As `StreamWriter.start_tls` does, which the client does not use: else the stream warns, each
    time the server closes, that it can't be half open.
    """
    transport._io_writer.transport.get_protocol()._over_ssl = True


class _Refused(Exception):
    """Breaks out of the client's endless attempts."""


class _TooLate(Exception):
    """The same, after the time that was given."""


async def connect(
    url: str,
    seed_file: Path | None,
    name: str,
    wait_seconds: float | None = None,
    on_waiting: Tell | None = None,
    on_closed: Tell | None = None,
    certificates: Certificates | None = None,
) -> BusClient:
    """A connected client; it reconnects for ever, and buffers what is published meanwhile.

    seed_file : the user's nkey seed, None for a server without accounts. wait_seconds : how long to
    wait for the first connection, None is for ever. on_waiting, on_closed : see `Link`.
    certificates : None for a server without TLS. Raises BadSeedFile or BusConnectionError.
    """
    if (why := unfit_scheme(url, certificates is not None)) is not None:
        raise UnfitScheme(url, why)
    seed = None if seed_file is None else read_seed(seed_file)
    link = Link(name, url, on_waiting, on_closed)
    if wait_seconds is not None:
        link.wait_until(asyncio.get_running_loop().time() + wait_seconds)
    client = BusClient(link, seed_file, certificates)
    options = _options(client, link) | _tls_options(certificates)
    try:
        async with asyncio.timeout(wait_seconds):
            await client.connect(url, name=name, nkeys_seed_str=seed, **options)
    except _Refused:
        raise AuthorizationRefused(name, url, seed_file) from None
    except (TimeoutError, _TooLate):
        assert wait_seconds is not None
        raise ServerUnreachable(url, wait_seconds, link.why) from None
    finally:
        if not client.is_connected:
            await client.close()
    await link.connected()
    return client


def _tls_options(certificates: Certificates | None) -> dict[str, Any]:
    """Not a word before the handshake, and the server is known by its name, not by its address."""
    if certificates is None:
        return {}
    client = certificates.now().client
    return {"tls": client, "tls_hostname": BUS_IDENTITY, "tls_handshake_first": True}


def _options(client: BusClient, link: Link) -> dict[str, Any]:
    return {
        "error_cb": link.error,
        "disconnected_cb": link.disconnected,
        "reconnected_cb": link.connected,
        "closed_cb": client.tell_closed,
        "connect_timeout": CONNECT_SECONDS,
        "reconnect_time_wait": RETRY_SECONDS,
        "max_reconnect_attempts": -1,
        "ping_interval": PING_SECONDS,
        "max_outstanding_pings": PINGS_MAX,
        "pending_size": PENDING_BYTES_MAX,
    }
