"""The Docker engine, asked by its own command line; and a platform of docker-compose.yml on it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from stratvector.runtime.free_ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
VERSION = "0.1.0"
PYTHON_BASE = "python:3.11-slim-bookworm"
PATIENCE_SECONDS = 240.0
LOOK_SECONDS = 1.0
PORTS = ("CONSOLE_PORT", "DRIFT_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT")
# What a pod's security context says, as the engine says it.
LOCKED = (
    "--user=10001:10001", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
    "--tmpfs=/tmp:size=256m,mode=1777",
)  # fmt: skip


def refusal() -> str:
    """Why nothing can run in containers here; empty where it can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    found = subprocess.run(["docker", "version"], capture_output=True, text=True)
    if found.returncode != 0:
        return f"no engine answers: {found.stderr.strip()[:200]}"
    if not _has_plugin() and shutil.which("docker-compose") is None:
        return "there is neither 'docker compose' nor 'docker-compose'"
    return ""


def docker(*arguments: str) -> str:
    """What a command says; its own words where it fails."""
    return _said(["docker", *arguments], dict(os.environ))


def inspected(kind: str, name: str) -> dict[str, Any]:
    """All that the engine knows of an image, a container or a volume."""
    (found,) = json.loads(docker(kind, "inspect", name))
    known: dict[str, Any] = found
    return known


def image(service: str) -> str:
    """The name under which the image of a service was built."""
    return f"stratvector/{service}:{VERSION}"


def until(holds: Callable[[], Any], what: str) -> Any:
    """What it says, as soon as that is something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what} never came to be"
        time.sleep(LOOK_SECONDS)
    return found


class Composed:
    """Some services of docker-compose.yml, under a project of their own on free ports; a context
    that removes containers, networks and volumes.

    settings : variables of the compose file.
    """

    def __init__(self, project: str, services: Iterable[str], settings: dict[str, str]) -> None:
        self._services, self._project = tuple(services), project
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        told = {name: str(port) for name, port in self.ports.items()}
        self._environment = os.environ | told | settings

    def __enter__(self) -> "Composed":
        try:
            self.start(*self._services)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def change(self, service: str, **settings: str) -> None:
        """Start a service anew with other variables of the compose file; nothing else."""
        self._environment |= settings
        self.compose("up", "--detach", "--no-build", "--no-deps", service)

    def script(self, *arguments: str) -> str:
        """What deploy/docker/compose.sh says, which a person calls by `make`."""
        told = self._environment | {"COMPOSE_PROJECT_NAME": self._project}
        return _said([str(ROOT / "deploy" / "docker" / "compose.sh"), *arguments], told)

    def start(self, *services: str) -> None:
        """Start some more of the services."""
        self.compose("up", "--detach", "--no-build", *services)

    def compose(self, *arguments: str) -> str:
        """What `docker compose` says."""
        return _said([*_compose(), "--project-name", self._project, *arguments], self._environment)

    def remove(self) -> None:
        """Nothing of it stays."""
        self.compose("down", "--volumes", "--timeout", "10")

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers that run."""
        return self._listed(service)

    def _listed(self, service: str, *more: str) -> list[str]:
        project = f"label=com.docker.compose.project={self._project}"
        of = f"label=com.docker.compose.service={service}"
        said = docker("ps", "--quiet", "--no-trunc", "--filter", project, "--filter", of, *more)
        return said.split()

    def address(self, service: str) -> str:
        """The IP address of a service's only container, in the network of all."""
        (container,) = self.containers(service)
        networks = inspected("container", container)["NetworkSettings"]["Networks"]
        found: str = networks[self.network]["IPAddress"]
        return found

    @property
    def network(self) -> str:
        """The network of all services."""
        return f"{self._project}_default"

    def volume(self, name: str) -> str:
        """The engine's name of a volume."""
        return f"{self._project}_{name}"

    def logs(self, service: str) -> str:
        """What a service's containers have written."""
        return self.compose("logs", "--no-color", service)

    def state(self, container: str) -> dict[str, Any]:
        """How a container is: Status, Health, Pid, RestartCount."""
        found = inspected("container", container)
        state: dict[str, Any] = found["State"] | {"RestartCount": found["RestartCount"]}
        return state

    def is_healthy(self, service: str) -> bool:
        """Whether each of its containers says so, and there is one."""
        found = [self.state(one) for one in self.containers(service)]
        return bool(found) and all(one["Health"]["Status"] == "healthy" for one in found)


def _has_plugin() -> bool:
    return subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0


def _compose() -> list[str]:
    """Compose, as a part of docker or as a program of its own."""
    if _has_plugin():
        return ["docker", "compose", "--file", str(ROOT / "docker-compose.yml")]
    return ["docker-compose", "--file", str(ROOT / "docker-compose.yml")]


def _said(command: list[str], environment: dict[str, str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, f"{' '.join(command)}: {run.stderr}{run.stdout}"
    return run.stdout
