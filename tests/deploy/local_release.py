"""A rendered release as processes of this machine: what the chart tells, but for folders and ports.

Names of Services become localhost with a port of its own; folders of pods become folders below one.
So a setting, a host name, a certificate or a key that does not fit shows as it would in a cluster.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from stratvector.cli.platform.commands import find_monte_carlo
from stratvector.runtime.free_ports import free_ports
from stratvector.runtime.jetstream.server import find_binary
from stratvector.trading.flow import COMPANIONS, SERVICES
from tests.deploy.chart import (
    ROOT,
    Object,
    Rendered,
    bus_laid_out,
    containers_of,
    environment_of,
    pod_of,
)

ADDRESS = re.compile(r"\bstratvector-([a-z-]+?):(\d+)")
PORTS = {"GRPC_PORT": 50051, "HTTP_PORT": 9100}
CONSOLE = 8000
STOP_SECONDS = 60.0
READY_SECONDS = 180.0  # a busy machine that compiles the engine


class LocalRelease:
    """The processes, from the keys on; a context that ends them. folder : an empty one."""

    def __init__(self, rendered: Rendered, folder: Path) -> None:
        self._rendered, self._folder = rendered, folder
        parts = [one.replace("_", "-") for one in (*SERVICES, *COMPANIONS)]
        asked = [(part, port) for part in parts for port in (*PORTS.values(), CONSOLE)]
        asked += [("nats", 4222), ("nats", 8222)]
        self._ports = dict(zip(asked, free_ports(len(asked)), strict=True))
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "LocalRelease":
        (make,) = (one for one in self._containers("Job", "-secrets") if one["name"] == "make")
        self.command([one.replace("/work/", f"{self._folder}/") for one in make["args"]])
        try:
            self._start_bus()
            for service in (*SERVICES, *COMPANIONS):
                self._start_service(service)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            process.terminate()
        for process in self._running:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def port(self, service: str, port: int) -> int:
        """Where a pod's port is."""
        return self._ports[service, port]

    def file(self, name: str) -> Path:
        """What the job made, such as keys/gateway.token."""
        return self._folder / name

    def command(self, words: list[str], user: str = "") -> str:
        """What `stratvector` says, told as the apply job tells it; it must succeed."""
        told = {}
        if user:
            (container,) = self._containers("Job", "-apply-", "initContainers")
            told = {
                one["name"]: self._here(one.get("value", ""), "cli") for one in container["env"]
            }
            told["STRATVECTOR_NATS_SEED_FILE"] = str(self._folder / "keys" / f"{user}.seed")
        return self._run(["-m", "stratvector.cli", *words], told)

    def until_ready(self) -> str:
        """What the chart's test says once every service is ready. Raises AssertionError."""
        (test,) = self._containers("Pod", "-test")
        words = [self._here(one, "cli") for one in test["command"][2:]]  # after python -P
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                return self._run(words, {})
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _run(self, words: list[str], told: dict[str, str]) -> str:
        run = subprocess.run(
            [sys.executable, "-P", *words],
            env=os.environ | told,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def _start_bus(self) -> None:
        folder = self._folder / "nats"
        ports = {port: self._ports["nats", port] for port in (4222, 8222)}
        file = bus_laid_out(self._rendered, folder, self._folder / "certificates" / "nats", ports)
        shutil.copy(self._folder / "accounts.conf", folder / "accounts")
        self._start("nats", [find_binary(), "-c", str(file)], {})

    def _start_service(self, service: str) -> None:
        part = service.replace("_", "-")
        (self._folder / "data" / part).mkdir(parents=True)
        (workload,) = (
            one
            for one in self._rendered.of("Deployment", "StatefulSet")
            if one["metadata"]["name"] == f"stratvector-{part}"
        )
        told = {name: self._here(text, part) for name, text in environment_of(workload).items()}
        prefix = f"STRATVECTOR_{service.upper()}_"
        told |= {f"{prefix}{key}": str(self._ports[part, port]) for key, port in PORTS.items()}
        told[f"{prefix}HOST"] = "0.0.0.0"  # as the image says
        if service == "gateway":
            told[f"{prefix}CONSOLE_PORT"] = str(self._ports[part, CONSOLE])
        python = [sys.executable, "-P", "-m", f"stratvector.services.{service}"]
        self._start(part, [find_monte_carlo()] if service == "monte_carlo" else python, told)

    def _start(self, name: str, command: list[str], told: dict[str, str]) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            self._running.append(
                subprocess.Popen(
                    command, env=os.environ | told, stdout=log, stderr=log, cwd=self._folder
                )
            )

    def _here(self, text: str, part: str) -> str:
        """An address or a path of a pod, on this machine."""
        folders = {
            "/run/stratvector/tls": self._folder / "certificates" / part,
            "/run/stratvector/keys": self._folder / "keys",
            "/var/lib/stratvector": self._folder / "data" / part,
            "/etc/stratvector/config": ROOT / "config",
        }
        for old, new in folders.items():
            text = text.replace(old, str(new))
        return ADDRESS.sub(lambda at: f"localhost:{self._ports[at[1], int(at[2])]}", text)

    def _containers(self, kind: str, name: str, which: str = "") -> list[Object]:
        (workload,) = (one for one in self._rendered.of(kind) if name in one["metadata"]["name"])
        pod = pod_of(workload)
        found: list[Object] = pod["spec"][which] if which else list(containers_of(pod))
        return found
