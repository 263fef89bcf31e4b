"""One service process under test: started, asked over its ports, read by its log, ended."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 180.0  # on a machine that does much else


class ServiceProcess:
    """A process of a module, with its settings in a file; a context that kills it in the end.

    environment : added to this process's own.
    """

    def __init__(
        self,
        module: str,
        folder: Path,
        name: str,
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({k: _plain(v) for k, v in settings.items()}))
        self.command = [sys.executable, "-m", module, "--settings", str(file)]
        self.environment = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(environment or {})}
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ServiceProcess":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        environment = os.environ | self.environment
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment
            )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int:
        """The exit code, waited for."""
        assert self.process is not None
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def log(self) -> list[dict[str, Any]]:
        """Every whole line of standard output; each must be JSON."""
        text = self.out.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == event]

    def said(self, event: str) -> dict[str, Any]:
        """The last line of an event, waited for."""
        self._until(lambda: bool(self.events(event)), f"it never said {event}")
        return self.events(event)[-1]

    def port(self, key: str) -> int:
        self._until(lambda: bool(self._ports(key)), f"it never said its {key}")
        return self._ports(key)[0]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of the service's HTTP port."""
        address = f"http://127.0.0.1:{self.port('http_port')}{path}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def readiness(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.get("/readyz")[1])
        return document

    def until_state(self, *states: str) -> dict[str, Any]:
        """The readiness document once the process is in one of the states."""
        self._until(lambda: self.readiness()["state"] in states, f"it never was {states}")
        return self.readiness()

    def _ports(self, key: str) -> list[int]:
        return [line[key] for line in self.events("listening") if key in line]

    def _until(self, holds: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            over = self.process is not None and self.process.poll() is not None
            if (over and not holds()) or time.monotonic() > deadline:
                words = self.out.read_text()[-3000:] + self.err.read_text()[-3000:]
                raise AssertionError(f"{complaint}\n{words}")
            time.sleep(0.02)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
