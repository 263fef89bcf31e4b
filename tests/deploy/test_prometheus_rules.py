"""Rules and routes: valid, tested, explained in the runbook, and over metrics that there are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from stratvector.cli.platform.ports import usual_plan
from stratvector.trading.flow import HOUSE, SERVICES
from tests.deploy.exposed_metrics import Exposed, monte_carlo, services
from tests.deploy.monitoring import PROMETHEUS_PARTS, Monitoring
from tests.deploy.rule_files import (
    FOLDER,
    ROOT,
    RULES,
    UNIT_TESTS,
    alerts,
    documents,
    groups,
    labels_in,
    names_in,
    recorded,
    rules,
    unit_tests,
)

RUNBOOK = ROOT / "docs" / "runbook.md"
SEVERITIES = {"info", "warning", "critical"}
MONITORING = {"prometheus", "alertmanager"}
OF_SCRAPES = {"up"}
IN_A_CONTAINER = 9100  # the HTTP port of every service, in a network of its own
ALWAYS = {"Watchdog"}  # fires by design, so it has no case of silence
ALERT_SERIES = re.compile(r'ALERTS\{alertname="(\w+)", alertstate="firing"')

needs_tools = pytest.mark.skipif(
    not all(map(shutil.which, PROMETHEUS_PARTS)),
    reason="Prometheus and Alertmanager are not installed; tools/prometheus.sh installs them",
)


def told(*command: str | Path) -> str:
    """What a command says; it must succeed."""
    run = subprocess.run([str(one) for one in command], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exposed]:
    """Names and labels by job, of the services and of Prometheus and Alertmanager themselves."""
    folder = tmp_path_factory.mktemp("exposed")
    found = services() | {"monte_carlo": monte_carlo(folder)}
    with Monitoring(folder) as monitoring:
        return found | {job: monitoring.exposed(job) for job in MONITORING}


@needs_tools
@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus.local.yml"])
def test_prometheus_takes_the_configuration_with_every_rule(name: str) -> None:
    assert f"{len(RULES)} rule files found" in told("promtool", "check", "config", FOLDER / name)


@needs_tools
@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_the_rules_pass_their_unit_tests(path: Path) -> None:
    assert "SUCCESS" in told("promtool", "test", "rules", path)


@needs_tools
def test_a_planted_wrong_threshold_fails_a_unit_test(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    rule = tmp_path / "prometheus" / "rules" / "trading.yml"
    rule.write_text(
        rule.read_text().replace("strategy_drift_score > 0.8", "strategy_drift_score > 0.95")
    )
    run = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "prometheus" / "tests" / "trading.yml")],
        capture_output=True,
    )
    assert run.returncode != 0


@needs_tools
@pytest.mark.parametrize("name", ["alertmanager.yml", "alertmanager.examples.yml"])
@pytest.mark.parametrize("severity", sorted(SEVERITIES))
def test_an_alert_goes_to_the_receiver_of_its_severity(name: str, severity: str) -> None:
    route = ("amtool", "config", "routes", "test", f"--config.file={FOLDER / name}")
    assert told(*route, f"severity={severity}", "alertname=A").strip() == severity
    assert told(*route, f"severity={severity}", "alertname=Watchdog").strip() == "heartbeat"
    assert "SUCCESS" in told("amtool", "check-config", FOLDER / name)


@pytest.mark.parametrize("alert", sorted({rule["alert"] for rule in alerts()}))
def test_an_alert_has_a_page_and_a_case_of_firing_and_of_silence(alert: str) -> None:
    assert re.search(rf"^### {alert}\n\n\*\*Meaning\.\*\* ", RUNBOOK.read_text(), re.MULTILINE)
    checks = [
        check
        for test in unit_tests()
        for check in test["promql_expr_test"]
        if (series := ALERT_SERIES.match(check["expr"])) and series[1] == alert
    ]
    assert any(check["exp_samples"] for check in checks)
    assert alert in ALWAYS or any(not check["exp_samples"] for check in checks)


def test_the_runbook_has_no_page_for_an_alert_that_is_gone() -> None:
    pages = set(re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE))
    assert pages == {rule["alert"] for rule in alerts()}


def test_each_page_of_the_runbook_says_meaning_check_and_action() -> None:
    for page in RUNBOOK.read_text().split("\n### ")[1:]:
        words = re.findall(r"\*\*(Meaning|Check|Action)\.\*\*", page)
        assert words == ["Meaning", "Check", "Action"], page.splitlines()[0]


def test_each_alert_says_how_severe_it_is_what_happened_and_where_to_read_on() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in SEVERITIES, rule["alert"]
        said = rule["annotations"]
        assert said["summary"], rule["alert"]
        assert said["description"], rule["alert"]
        assert said["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_what_an_annotation_names_is_a_label_that_the_alert_had_when_it_fired() -> None:
    fired: dict[str, set[str]] = {}
    for test in unit_tests():
        for check in test["promql_expr_test"]:
            for sample in check["exp_samples"]:
                if series := ALERT_SERIES.match(sample["labels"]):
                    labels = re.findall(r"(\w+)=", sample["labels"])
                    fired.setdefault(series[1], set()).update(labels)
    for rule in alerts():
        named = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        assert named <= fired[rule["alert"]], rule["alert"]


def test_each_group_of_recordings_is_read_by_a_unit_test() -> None:
    read = {
        name
        for test in unit_tests()
        for check in test["promql_expr_test"]
        for name in names_in(check["expr"])
    }
    for group in groups():
        names = {rule["record"] for rule in group["rules"] if "record" in rule}
        assert names <= read, group["name"]


def test_every_service_is_scraped_at_its_own_port_and_missed_when_it_is_not() -> None:
    composed, local = documents(FOLDER / "prometheus.yml", FOLDER / "prometheus.local.yml")
    ports = {name: seat.http for name, seat in usual_plan().seats.items()}
    jobs = {one["job_name"]: one for one in composed["scrape_configs"]}
    here = {one["job_name"]: one for one in local["scrape_configs"]}
    assert set(jobs) == set(here) == {*HOUSE, *MONITORING}
    for name, port in ports.items():
        (by_name,) = jobs[name]["dns_sd_configs"]
        assert (by_name["names"], by_name["port"]) == ([name], IN_A_CONTAINER)
        assert here[name]["static_configs"] == [{"targets": [f"127.0.0.1:{port}"]}]
    absent = {"critical": set[str](), "warning": set[str]()}
    for rule in alerts():
        if rule["alert"] == "ScrapeAbsent":
            absent[rule["labels"]["severity"]] |= set(re.findall(r'job="(\w+)"', rule["expr"]))
    assert absent == {"critical": set(SERVICES), "warning": set(jobs) - set(SERVICES)}


@needs_tools
def test_each_metric_of_a_rule_is_exposed_by_a_process(exposed: dict[str, Exposed]) -> None:
    there = {name for found in exposed.values() for name in found} | OF_SCRAPES | recorded()
    for rule in rules():
        unknown = names_in(str(rule["expr"])) - there
        assert unknown == set(), rule


@needs_tools
def test_a_planted_metric_that_nothing_exposes_is_found(exposed: dict[str, Exposed]) -> None:
    there = {name for found in exposed.values() for name in found}
    assert names_in("stratvector_portfolio_halted + stratvector_nothing") - there == {
        "stratvector_nothing"
    }


@needs_tools
def test_each_label_that_a_rule_asks_for_is_on_its_metric(exposed: dict[str, Exposed]) -> None:
    labels: Exposed = {name: set() for name in OF_SCRAPES | recorded()}
    for found in exposed.values():
        for name, own in found.items():
            labels.setdefault(name, set()).update(own)
    for rule in rules():
        for name, label in labels_in(str(rule["expr"])):
            assert label in {"job", "instance"} | labels[name], (name, label)


def test_names_are_found_in_expressions() -> None:
    expression = 'sum by (job, le) (rate(a_total{x="b{c}"}[5m])) / on (slo) group_left () (d:e + 1)'
    assert names_in(expression) == {"a_total", "d:e"}
    assert names_in("up == 0 and process_open_fds unless f offset 5m") == {
        "up",
        "process_open_fds",
        "f",
    }
    assert list(labels_in('a{x=~"1|2", y!="3"}')) == [("a", "x"), ("a", "y")]
