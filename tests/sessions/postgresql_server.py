"""A real PostgreSQL server of the tests' own: a database for each test, a crash when they want."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from stratvector.runtime.free_ports import free_ports

USER, PASSWORD = "ledger", "a word of the tests"
UNPRIVILEGED = "nobody"  # the server refuses to run as root
PATIENCE_SECONDS = 30.0
# Processes are killed here, the machine is not: nothing needs to reach the disk.
OPTIONS = ("fsync=off", "full_page_writes=off", "unix_socket_directories=", "max_connections=60")


def programs() -> Path:
    """Where `initdb` and `postgres` are: they come with a package of the development group."""
    found = find_spec("pgserver")
    assert found is not None
    assert found.origin is not None, "pgserver is not installed: make setup"
    return Path(found.origin).parent / "pginstall" / "bin"


class PostgresqlServer:
    """One server on a free port of this machine, which asks for a password."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="postgresql-"))
        self.port = free_ports(1)[0]
        self.password_file = self.folder / "password"
        self.password_file.write_text(f"{PASSWORD}\n")
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(self.folder, UNPRIVILEGED)
            shutil.chown(self.password_file, UNPRIVILEGED)
        command = ["initdb", "--no-sync", "--auth=scram-sha-256", f"--username={USER}"]
        command += [f"--pwfile={self.password_file}", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._spawn([*command, f"--pgdata={self.folder / 'data'}"]).wait(PATIENCE_SECONDS)

    def start(self) -> None:
        """Start it, without waiting until it answers."""
        assert self._process is None
        options = [word for option in OPTIONS for word in ("-c", option)]
        place = ["-D", str(self.folder / "data"), "-h", "127.0.0.1", "-p", str(self.port)]
        self._process = self._spawn(["postgres", *place, *options])

    def answer(self) -> None:
        """Wait until it answers."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        command = [str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(command, check=False).returncode != 0:
            assert time.monotonic() < ends_at, (self.folder / "log").read_text()
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGINT) -> None:
        """End it and every connection. number : SIGQUIT is a crash, without a checkpoint."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(PATIENCE_SECONDS)
        self._process = None

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What the server says to a statement of its superuser."""
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database]
        command = [str(programs() / "psql"), *place, "-v", "ON_ERROR_STOP=1", "-qAtc", statement]
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def new_database(self, template: str = "template0") -> str:
        """The URL of a new database, which is empty, or a copy of another one."""
        name = f"ledger_{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def url(self, database: str) -> str:
        """The address of a database, without the password."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def remove(self) -> None:
        """End it where it runs, and leave nothing."""
        if self._process is not None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        user = UNPRIVILEGED if os.geteuid() == 0 else None
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(programs() / command[0]), *command[1:]],
                user=user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )


@cache
def postgresql() -> PostgresqlServer:
    """The one of this process, begun when a test needs it first; `remove_postgresql` ends it."""
    server = PostgresqlServer()
    server.start()
    server.answer()
    return server


def remove_postgresql() -> None:
    """End the one of this process, where there is one."""
    if postgresql.cache_info().currsize:
        postgresql().remove()
        postgresql.cache_clear()
