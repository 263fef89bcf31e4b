"""A platform of docker-compose.yml as a test asks it: its commands, its files, its Prometheus."""

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stratvector.runtime.certificates import TlsFiles
from tests.containers.engine import Composed, docker, image

STRATVECTOR = str(Path(sys.executable).with_name("stratvector"))


@dataclass(frozen=True)
class Platform:
    """What runs. services : those of the house. own : a folder for files. here : what the same
    configuration gives in a backtest on this machine.
    """

    composed: Composed
    services: tuple[str, ...]
    own: Path
    here: dict[str, Any]

    def access(self, user: str) -> list[str]:
        """How a command reaches the bus as a user."""
        return ["--nats-url", self.nats, "--seed-file", str(self.made(f"keys/{user}.seed"))]

    @property
    def backups(self) -> Path:
        """Where its backups are."""
        return self.own / "backups"

    @property
    def nats(self) -> str:
        """Where the bus is, from here."""
        return f"tls://{self.composed.address('nats')}:4222"

    def tls(self) -> TlsFiles:
        """What a command presents, and whom it trusts."""
        names = ("ca.crt", "tls.crt", "tls.key")
        return TlsFiles(*(self.made(f"tls/cli/{name}") for name in names))

    def made(self, name: str) -> Path:
        """A file out of the volume that holds all keys and certificates."""
        file = self.own / "made" / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(0o600)
            mount = f"{self.composed.volume('made')}:/made:ro"
            read = ("--user=0:0", "--entrypoint=cat", image("cli"), f"/made/{name}")
            file.write_text(docker("run", "--rm", "--volume", mount, *read))
        return file

    def asked(self, *command: str) -> dict[str, Any]:
        """What a command says of the platform, as JSON."""
        files = self.tls()
        told = ("--tls-ca", files.authorities, "--tls-certificate", files.certificate)
        access = [*map(str, told), "--tls-key", str(files.key)]
        return dict(json.loads(said_by(STRATVECTOR, *access, *command, "--json")))

    def portfolio(self) -> dict[str, Any]:
        """What `portfolios list` says of the only one."""
        found = self.asked("portfolios", "list", *self.access("apply"))["portfolios"]
        return dict(found[0]) if found else {}

    def metrics(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers."""
        address = f"http://127.0.0.1:{self.composed.ports['PROMETHEUS_PORT']}"
        path = f"{address}/api/v1/query?query={urllib.request.quote(query)}"  # type: ignore[attr-defined]
        with urllib.request.urlopen(path, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def said_by(*command: str) -> str:
    """What a command of this machine says; its own words where it fails."""
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout
