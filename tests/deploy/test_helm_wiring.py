"""What the chart tells programs: settings that they know, addresses that they may reach."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stratvector.cli.platform.commands import find_monte_carlo
from stratvector.runtime.process.settings import ProcessSettings, load_settings
from stratvector.services.drift.settings import DriftSettings
from stratvector.services.execution.settings import ExecutionSettings
from stratvector.services.gateway.settings import GatewaySettings
from stratvector.services.ledger.settings import LedgerSettings
from stratvector.services.market_data.settings import MarketDataSettings
from stratvector.services.research.settings import ResearchSettings
from stratvector.services.risk.settings import RiskSettings
from stratvector.services.strategy.settings import StrategySettings
from stratvector.trading.flow import COMPANIONS, SERVICES
from tests.deploy.chart import (
    CHART,
    ROOT,
    WORKLOADS,
    Helm,
    Object,
    Rendered,
    containers_of,
    environment_of,
    needs_helm,
    pod_of,
    selects,
)
from tests.deploy.exposed_metrics import exposed
from tests.deploy.rule_files import names_in

pytestmark = needs_helm

SETTINGS: dict[str, type[ProcessSettings]] = {
    "market_data": MarketDataSettings,
    "strategy": StrategySettings,
    "risk": RiskSettings,
    "execution": ExecutionSettings,
    "ledger": LedgerSettings,
    "drift": DriftSettings,
    "research": ResearchSettings,
    "gateway": GatewaySettings,
}
IMAGE_SETTINGS = 'host: "0.0.0.0"\ngrpc_port: 50051\nhttp_port: 9100\n'
ADDRESS = re.compile(r"\bstratvector-([a-z-]+?)(?:\.[a-z.]+)?:(\d+)")
OF_EVERYBODY = re.compile(r"(?<![\w:{\"])(up|process_\w+)\b(?!\{)")
"""A series that others' processes in the cluster have as well, without a selector."""
GRPC, HTTP, CONSOLE, ROUTES = 50051, 9100, 8000, 6222
TLS_FILES = {"TLS_CA_FILE": "ca.crt", "TLS_CERTIFICATE_FILE": "tls.crt", "TLS_KEY_FILE": "tls.key"}


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    with Helm() as started:
        yield started


@pytest.fixture(scope="module")
def secure(helm: Helm) -> Rendered:
    return helm.render({"monitoring": {"enabled": True}, "nats": {"replicas": 3}})


@pytest.fixture(scope="module")
def plain(helm: Helm) -> Rendered:
    return helm.render({"tls": {"enabled": False}})


def component(workload: Object) -> str:
    return str(pod_of(workload)["metadata"]["labels"]["app.kubernetes.io/component"])


def workload_of(rendered: Rendered, service: str) -> Object:
    (found,) = (
        one for one in rendered.of("Deployment", "StatefulSet") if component(one) == service
    )
    return found


@pytest.mark.parametrize("service", sorted(SETTINGS))
def test_a_service_starts_with_what_its_pod_tells_it(
    service: str, plain: Rendered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in environment_of(workload_of(plain, service)).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "service.yaml").write_text(IMAGE_SETTINGS)
    settings = load_settings(service, SETTINGS[service], tmp_path / "service.yaml")
    assert f"stratvector-{service.replace('_', '-')}" in settings.allowed_hosts


def test_monte_carlo_knows_every_variable_of_its_pod(plain: Rendered) -> None:
    told = subprocess.run([find_monte_carlo(), "--help"], capture_output=True, text=True).stdout
    variables = environment_of(workload_of(plain, "monte_carlo"))
    assert variables
    assert [name for name in variables if name not in told] == []


@pytest.mark.parametrize("service", [*SERVICES, *COMPANIONS])
def test_with_tls_every_process_presents_its_own_certificate(
    service: str, secure: Rendered
) -> None:
    workload = workload_of(secure, service)
    variables = environment_of(workload)
    for key, file in TLS_FILES.items():
        assert variables[f"STRATVECTOR_{service.upper()}_{key}"] == f"/run/stratvector/tls/{file}"
    volumes = {one["name"]: one for one in pod_of(workload)["spec"]["volumes"]}
    identity = service.replace("_", "-")
    assert volumes["tls"]["secret"]["secretName"] == f"stratvector-tls-{identity}"
    if service != "research":  # which is not on the bus
        url = variables[f"STRATVECTOR_{service.upper()}_NATS_URL"]
        assert url == "tls://stratvector-nats:4222"
    (container,) = pod_of(workload)["spec"]["containers"]
    assert {
        container[f"{kind}Probe"]["httpGet"]["scheme"] for kind in ("liveness", "readiness")
    } == {"HTTPS"}
    monitor = secure.one("ServiceMonitor", f"stratvector-{identity}")["spec"]["endpoints"][0]
    assert (monitor["scheme"], monitor["tlsConfig"]["serverName"]) == ("https", identity)


def test_the_ingress_s_host_joins_the_names_that_the_gateway_answers_to(helm: Helm) -> None:
    host = "trading.example.com"
    rendered = helm.render({"ingress": {"enabled": True, "host": host}})
    for service in SETTINGS:
        told = environment_of(workload_of(rendered, service))
        names = json.loads(told[f"STRATVECTOR_{service.upper()}_ALLOWED_HOSTS"])
        assert (host in names) == (service == "gateway")


def test_a_browser_stays_with_the_replica_that_made_its_page(helm: Helm) -> None:
    rendered = helm.render({"ingress": {"enabled": True, "host": "trading.example.com"}})
    console = rendered.one("Service", "stratvector-console")
    assert console["spec"]["sessionAffinity"] == "ClientIP"
    (ingress,) = rendered.of("Ingress")
    nginx = ingress["metadata"]["annotations"]
    assert nginx["nginx.ingress.kubernetes.io/affinity"] == "cookie"
    assert nginx["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"


def told_addresses(rendered: Rendered) -> Iterator[tuple[str, str, int]]:
    """Who is told whose address and port, by variables and arguments."""
    for workload in rendered.of(*WORKLOADS):
        for container in containers_of(pod_of(workload)):
            values = [one.get("value", "") for one in container.get("env", ())]
            for host, port in ADDRESS.findall(" ".join([*values, *container.get("command", ())])):
                yield component(workload), host.replace("-", "_"), int(port)


def reachable(rendered: Rendered) -> set[tuple[str, str, int]]:
    """Who may reach whom at which port: both the asker's policies and the asked one's allow it."""
    pods = {component(one): pod_of(one)["metadata"]["labels"] for one in rendered.of(*WORKLOADS)}
    policies = rendered.of("NetworkPolicy")

    def allowed(direction: str, peers: str, own: Any, other: Any) -> set[int]:
        return {
            port["port"]
            for policy in policies
            if selects(policy, own)
            for rule in policy["spec"].get(direction, ())
            if any(_matches(peer, other) for peer in rule.get(peers, ()))
            for port in rule.get("ports", ())
        }

    return {
        (asker, asked, port)
        for asker, its in pods.items()
        for asked, others in pods.items()
        for port in allowed("egress", "to", its, others) & allowed("ingress", "from", others, its)
    }


def _matches(peer: Object, labels: dict[str, str]) -> bool:
    wanted: dict[str, str] = peer.get("podSelector", {}).get("matchLabels", {})
    return bool(wanted) and wanted.items() <= labels.items()


def test_policies_open_every_address_that_a_pod_is_told_and_no_other(secure: Rendered) -> None:
    services = [*SERVICES, *COMPANIONS]
    replicas = {(one, one, GRPC) for one in services} | {("nats", "nats", ROUTES)}
    expected = set(told_addresses(secure)) | replicas | {("test", "gateway", CONSOLE)}
    assert ("gateway", "risk", GRPC) in expected
    assert ("risk", "nats", 4222) in expected
    assert reachable(secure) == expected


def test_metrics_and_the_bus_s_monitor_are_open_to_prometheus_alone(secure: Rendered) -> None:
    for policy in secure.of("NetworkPolicy"):
        for rule in policy["spec"].get("ingress", ()):
            outside = [one for one in rule["from"] if "podSelector" not in one]
            ports = {one["port"] for one in rule["ports"]}
            if outside:
                assert ports <= {HTTP, 8222}
                name = {"kubernetes.io/metadata.name": "monitoring"}
                assert outside == [{"namespaceSelector": {"matchLabels": name}}]


def test_services_lead_to_named_ports_of_pods_that_there_are(secure: Rendered) -> None:
    running = secure.of("Deployment", "StatefulSet")
    for service in secure.of("Service"):
        found = [one for one in running if selects(service, pod_of(one)["metadata"]["labels"])]
        assert len(found) == 1
        ports = {
            port["name"]
            for container in containers_of(pod_of(found[0]))
            for port in container.get("ports", ())
        }
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= ports


def test_every_metric_that_scales_or_may_scale_is_exposed() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    queries = [one["autoscaling"]["keda"]["query"] for one in values["services"].values()]
    asked = {name for query in filter(None, queries) for name in names_in(query)}
    assert asked
    assert asked <= exposed().keys()


def test_where_an_adapter_is_there_a_metric_of_ours_scales_too(helm: Helm) -> None:
    metric = {"name": "stratvector_monte_carlo_open_runs", "averageValue": "2"}
    values = {"monte_carlo": {"autoscaling": {"enabled": True, "metric": metric}}}
    (scaler,) = helm.render({"services": values}).of("HorizontalPodAutoscaler")
    cpu, own = scaler["spec"]["metrics"]
    assert cpu["resource"]["name"] == "cpu"
    assert own["external"]["metric"]["name"] == metric["name"]
    assert own["external"]["target"] == {"type": "AverageValue", "averageValue": "2"}


def test_rules_are_those_of_the_repository_with_this_cluster_s_jobs(
    secure: Rendered, tmp_path: Path
) -> None:
    (rule,) = secure.of("PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    text = yaml.safe_dump({"groups": rule["spec"]["groups"]})
    expressions = [one["expr"] for group in rule["spec"]["groups"] for one in group["rules"]]
    assert 'up{namespace="trading"} == 0' in expressions
    assert [one for one in expressions if OF_EVERYBODY.search(one)] == []
    assert 'job="prometheus-kube-prometheus-alertmanager"' in text
    assert 'job="alertmanager"' not in text
    own = [yaml.safe_load(path.read_text()) for path in (CHART / "files/rules").glob("*.yml")]
    wanted = {group["name"] for document in own for group in document["groups"]}
    assert {group["name"] for group in rule["spec"]["groups"]} == wanted
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; tools/prometheus.sh installs it")
    file = tmp_path / "rules.yml"
    file.write_text(text)
    check = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr


def test_every_dashboard_is_a_labelled_config_map_as_grafana_has_it(secure: Rendered) -> None:
    maps = [
        one
        for one in secure.of("ConfigMap")
        if one["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]
    found = {name: json.loads(text) for one in maps for name, text in one["data"].items()}
    files = (ROOT / "grafana/json").glob("*.json")
    assert found == {path.name: json.loads(path.read_text()) for path in files}
    assert len(found) == 7


def test_a_job_is_a_service_so_that_alerts_find_theirs(secure: Rendered) -> None:
    for monitor in secure.of("ServiceMonitor"):
        (service,) = (
            one
            for one in secure.of("Service")
            if monitor["spec"]["selector"]["matchLabels"].items()
            <= one["metadata"]["labels"].items()
        )
        job = service["metadata"]["labels"][monitor["spec"]["jobLabel"]]
        assert job in (*SERVICES, *COMPANIONS)
        assert "http" in {one["name"] for one in service["spec"]["ports"]}


def test_the_configuration_lies_as_in_its_folder(plain: Rendered) -> None:
    data = plain.one("ConfigMap", "stratvector-config")["data"]
    (volume,) = (
        one
        for one in pod_of(workload_of(plain, "research"))["spec"]["volumes"]
        if one["name"] == "config"
    )
    found = {one["path"]: data[one["key"]] for one in volume["configMap"]["items"]}
    folder = ROOT / "config"
    wanted = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.yaml")}
    assert found == wanted
