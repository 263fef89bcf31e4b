"""What scales in a cluster, asked of a real Prometheus: each query gives one figure, that rises
while messages or runs wait, rests with them, and knows neither a short rush nor another release.
"""

import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.deploy.chart import Helm, needs_helm
from tests.deploy.exposed_metrics import exposed
from tests.deploy.prometheus_over import prometheus_over
from tests.deploy.rule_files import labels_in, names_in

SCALED = ("strategy", "risk", "execution", "gateway", "monte_carlo")
MINUTE, STEP_SECONDS = 60, 15
IDLE, BUSY, SLOW_STRATEGY, RUSH, END = (m * MINUTE for m in (0, 10, 20, 30, 40))
WAITED = "stratvector_message_wait_seconds_sum"
REQUESTS = "stratvector_gateway_requests_total"
OPEN_RUNS = "stratvector_monte_carlo_open_runs"
# A reader that starts behind takes what it heard meanwhile: a few hundred messages, at once.
RUSH_SECONDS = 4_000.0
# Messages and runs that wait, or requests per second, at each of two replicas.
BUSY_AT_EACH: dict[tuple[str, str, tuple[str, str]], float] = {
    ("strategy", WAITED, ("noun", "bars")): 20.0,
    ("risk", WAITED, ("noun", "signals")): 100.0,
    ("risk", WAITED, ("noun", "fills")): 6.0,
    ("execution", WAITED, ("noun", "bars")): 100.0,
    ("execution", WAITED, ("noun", "orders")): 5.0,
    ("gateway", REQUESTS, ("route", "/api/portfolio")): 40.0,
    ("monte_carlo", OPEN_RUNS, ("state", "waiting")): 6.0,
    ("monte_carlo", OPEN_RUNS, ("state", "under_way")): 2.0,
}
WANTED = {"strategy": 40.0, "risk": 12.0, "execution": 10.0, "gateway": 80.0, "monte_carlo": 16.0}

pytestmark = [
    needs_helm,
    pytest.mark.skipif(
        not (shutil.which("prometheus") and shutil.which("promtool")),
        reason="Prometheus is not installed",
    ),
]


@dataclass(frozen=True)
class Signals:
    """The release's queries and thresholds by service, and a Prometheus to ask them of."""

    triggers: Mapping[str, Mapping[str, str]]
    address: str
    began: int

    def value(self, service: str, seconds: int) -> float:
        """The one figure of a query, so long after the first scrape."""
        asked = {"query": self.triggers[service]["query"], "time": self.began + seconds}
        with urlopen(f"{self.address}/api/v1/query?{urlencode(asked)}") as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        (series,) = result
        assert series["metric"] == {}
        return float(series["value"][1])

    def replicas(self, service: str, seconds: int) -> int:
        """How many an autoscaler would want, by the average of each."""
        threshold = float(self.triggers[service]["threshold"])
        return max(1, math.ceil(self.value(service, seconds) / threshold))


def grown(at_each: float, seconds: float) -> float:
    """A counter that grows while its service is busy, and at once when it starts behind."""
    return at_each * max(0.0, min(seconds, SLOW_STRATEGY) - BUSY) + RUSH_SECONDS * (seconds > RUSH)


def value(service: str, name: str, noun: str, at_each: float, seconds: float) -> float:
    """What a replica tells at a time."""
    if name == OPEN_RUNS:
        return at_each * (BUSY <= seconds < SLOW_STRATEGY)
    if (service, noun) == ("risk", "fills"):
        # Fills also wait while a model computes; its signals then don't.
        return grown(at_each, seconds) + at_each * max(0.0, min(seconds, RUSH) - SLOW_STRATEGY)
    return grown(0.0 if name == REQUESTS and seconds > RUSH else at_each, seconds)


def scrapes(namespace: str, began: int) -> Iterator[str]:
    """The expositions of two replicas of each service; of another release that is always busy."""
    for (service, name, (label, told)), at_each in BUSY_AT_EACH.items():
        for replica in ("a", "b"):
            labels = (
                f'namespace="{namespace}",job="{service}",instance="{replica}",{label}="{told}"'
            )
            for seconds in range(0, END + 1, STEP_SECONDS):
                found = value(service, name, told, at_each, seconds)
                if namespace == "other":
                    found = at_each * (1 if name == OPEN_RUNS else seconds)
                yield f"{name}{{{labels}}} {found} {began + seconds}"


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signals]:
    folder, began = tmp_path_factory.mktemp("prometheus"), int(time.time()) - END
    with Helm() as helm:
        services = {one: {"autoscaling": {"enabled": True}} for one in SCALED}
        rendered = helm.render({"keda": {"enabled": True}, "services": services})
    triggers = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: trigger["metadata"]
        for one in rendered.of("ScaledObject")
        for trigger in one["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    }
    told = [line for namespace in ("trading", "other") for line in scrapes(namespace, began)]
    with prometheus_over(folder, "\n".join([*told, "# EOF\n"])) as address:
        yield Signals(triggers, address, began)


def test_each_service_that_is_scaled_by_a_signal_has_one(signals: Signals) -> None:
    assert sorted(signals.triggers) == sorted(SCALED)


@pytest.mark.parametrize("service", SCALED)
def test_a_query_asks_for_names_and_labels_that_the_services_expose(
    service: str, signals: Signals
) -> None:
    query, found = signals.triggers[service]["query"], exposed()
    assert names_in(query)
    assert names_in(query) <= found.keys()
    for name, label in labels_in(query):
        assert label in found[name] | {"job", "namespace"}


@pytest.mark.parametrize("service", SCALED)
def test_what_waits_at_all_replicas_is_one_figure_and_wants_more_of_them(
    service: str, signals: Signals
) -> None:
    assert signals.value(service, SLOW_STRATEGY - MINUTE) == pytest.approx(
        WANTED[service], rel=0.02
    )
    assert signals.replicas(service, SLOW_STRATEGY - MINUTE) > 1


@pytest.mark.parametrize("service", SCALED)
def test_an_idle_release_wants_one_replica_beside_another_that_is_busy(
    service: str, signals: Signals
) -> None:
    assert signals.value(service, BUSY - MINUTE) == 0.0
    assert signals.value(service, RUSH - MINUTE) == 0.0


def test_fills_that_wait_for_signals_do_not_ask_for_more_of_risk(signals: Signals) -> None:
    assert signals.replicas("risk", SLOW_STRATEGY + 6 * MINUTE) == 1


@pytest.mark.parametrize("service", ["strategy", "risk", "execution"])
def test_a_start_that_is_behind_for_a_moment_asks_for_nobody(
    service: str, signals: Signals
) -> None:
    for seconds in range(RUSH, END, STEP_SECONDS):
        assert signals.replicas(service, seconds) == 1
