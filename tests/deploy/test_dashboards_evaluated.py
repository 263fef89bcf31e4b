"""A real Prometheus that holds two hours of what the services expose: no panel is empty."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from prometheus_client.samples import Sample

from tests.deploy.exposed_metrics import exposed, samples
from tests.deploy.prometheus_over import prometheus_over
from tests.deploy.promql import without_windows

JSON = Path(__file__).resolve().parents[2] / "grafana" / "json"
HOURS, STEP_SECONDS = 2, 60
SCRAPED = {"job": "service", "instance": "127.0.0.1:9101"}
OF_THE_DECLARED = {
    "outcome": ("result", "unavailable", "sent", "dropped"),
    "state": ("waiting", "under_way"),
    "le": ("1", "+Inf"),
}
GROWING = ("_total", "_bucket", "_count", "_sum", "_epoch")

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed",
)


def every_sample() -> Iterator[Sample]:
    """Of the collectors, of what is only declared, and `up`."""
    collected = samples()
    yield from collected
    seen = {sample.name for sample in collected}
    for name, labels in exposed().items():
        if name not in seen:
            label = next(iter(labels), "")
            for value in OF_THE_DECLARED[label] if label else ("",):
                yield Sample(name, {label: value} if label else {}, 1.0)
    yield Sample("up", {}, 1.0)


def open_metrics(now: int) -> str:
    """Counters that grow by the same at each scrape, and gauges that stand still."""
    lines = []
    for sample in every_sample():
        labels = ",".join(f"{k}={json.dumps(v)}" for k, v in {**sample.labels, **SCRAPED}.items())
        steps = HOURS * 3600 // STEP_SECONDS
        for step in range(steps + 1):
            at = now - (steps - step) * STEP_SECONDS
            value = step if sample.name.endswith(GROWING) else sample.value
            lines.append(f"{sample.name}{{{labels}}} {value} {at}")
    return "\n".join([*lines, "# EOF\n"])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Its address, and the time of the newest scrape."""
    folder, now = tmp_path_factory.mktemp("prometheus"), int(time.time())
    with prometheus_over(folder, open_metrics(now)) as address:
        yield address, now


def evaluated(prometheus: tuple[str, int], expression: str) -> list[object]:
    address, now = prometheus
    chosen = re.sub(r"\$[a-z]+", ".+", without_windows(expression))
    with urlopen(f"{address}/api/v1/query?{urlencode({'query': chosen, 'time': now})}") as answer:
        result: list[object] = json.load(answer)["data"]["result"]
    return result


@pytest.mark.parametrize("path", sorted(JSON.glob("*.json")), ids=lambda path: path.stem)
def test_no_panel_is_empty(
    path: Path, prometheus: tuple[str, int], say: Callable[[str], None]
) -> None:
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    asked = [(panel["title"], one) for panel in panels for one in panel.get("targets", [])]
    say(f"dashboard {path.stem}: {len(asked)} expressions evaluated by Prometheus")
    assert [
        (title, one["refId"]) for title, one in asked if not evaluated(prometheus, one["expr"])
    ] == []


def test_a_planted_metric_that_nothing_exposes_is_empty(prometheus: tuple[str, int]) -> None:
    assert evaluated(prometheus, 'stratvector_orders_total{job=~"$service"}') == []
