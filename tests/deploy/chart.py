"""The chart, rendered by Helm's own engine in a process of tools/helm.sh's venv."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "stratvector"
VALUES = tuple(sorted(CHART.glob("values*.yaml")))
PYTHON = ROOT / "build" / "helm-0.2.2" / "bin" / "python"
WORKER = Path(__file__).with_name("helm_worker.py")
RELEASE = "stratvector"
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob", "Pod")

needs_helm = pytest.mark.skipif(
    not PYTHON.exists(),
    reason="the packages of Helm are not installed; tools/helm.sh installs them",
)
Object = dict[str, Any]
Values = dict[str, Any]


class Refused(RuntimeError):
    """Helm does not render, in its own words."""


@dataclass(frozen=True)
class Rendered:
    """A release's objects, hooks and tests among them."""

    objects: tuple[Object, ...]
    notes: str

    def of(self, *kinds: str) -> list[Object]:
        """Those of some kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """The one of that name."""
        (found,) = (one for one in self.of(kind) if one["metadata"]["name"] == name)
        return found


class Helm:
    """The process, for the time of a block."""

    def __enter__(self) -> "Helm":
        self._process = subprocess.Popen(
            [str(PYTHON), str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # where Helm tells of each link that it follows
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, ask: str, **question: Any) -> Any:
        """An answer of `helm_worker`. Raises Refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"ask": ask, **question}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["answer"]

    def render(self, values: Values, release: str = RELEASE) -> Rendered:
        """The chart with these values over its own. Raises Refused."""
        found = self.ask("render", folder=str(CHART), values=values, release=release)
        return Rendered(tuple(found["objects"]), found["notes"])


def bus_laid_out(rendered: Rendered, folder: Path, tls: Path, ports: Mapping[int, int]) -> Path:
    """A pod's folders of the bus below `folder`, with its configuration, which is returned.

    tls : where its certificate is, on this machine. ports : ours by the pod's.
    """
    for name in ("config", "accounts", "run", "data"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    text = rendered.one("ConfigMap", "stratvector-nats")["data"]["nats.conf"]
    for old, new in {
        "/etc/nats/tls": str(tls),
        "/etc/nats": str(folder),
        "/run/nats": str(folder / "run"),
        '"/data"': f'"{folder / "data"}"',
        "$POD_NAME": '"pod-0"',
        "0.0.0.0": "127.0.0.1",
        **{f":{pods}": f":{here}" for pods, here in ports.items()},
    }.items():
        text = text.replace(old, new)
    file = folder / "config" / "nats.conf"
    file.write_text(text)
    return file


@cache
def values_of(file: Path) -> Values:
    """A values file's; the chart's own say nothing more."""
    read = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {} if file.name == "values.yaml" else dict(read)


def pod_of(workload: Object) -> Object:
    """Metadata and spec of its pods."""
    match workload["kind"]:
        case "Pod":
            return workload
        case "CronJob":
            workload = workload["spec"]["jobTemplate"]
    template: Object = workload["spec"]["template"]
    return template


def containers_of(pod: Object) -> Iterator[Object]:
    """All of them, those that run first too."""
    spec = pod["spec"]
    yield from (*spec.get("initContainers", ()), *spec["containers"])


def environment_of(workload: Object) -> dict[str, str]:
    """The variables of the first container that have a value."""
    (container, *_) = pod_of(workload)["spec"]["containers"]
    return {one["name"]: one.get("value", "") for one in container["env"]}


def quantity(text: str) -> float:
    """Cores or bytes."""
    scales = {"m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    for suffix, scale in scales.items():
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * scale
    return float(text)


def selects(policy: Object, labels: dict[str, str]) -> bool:
    """Whether a NetworkPolicy, PodDisruptionBudget or Service is about pods with these labels."""
    selector = policy["spec"].get("podSelector", policy["spec"].get("selector"))
    wanted: dict[str, str] = selector.get("matchLabels", selector)
    return wanted.items() <= labels.items()


def by_name(objects: Iterable[Object]) -> dict[tuple[str, str], Object]:
    """Objects by kind and name."""
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}
