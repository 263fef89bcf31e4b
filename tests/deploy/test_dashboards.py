"""Grafana's dashboards: fresh, whole, and of nothing that the services don't expose."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.exposed_metrics import exposed
from tests.deploy.promql import (
    grouped_labels,
    increasing,
    made_labels,
    matched_labels,
    metrics_of,
    without_windows,
)

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "grafana"
FILES = sorted((GRAFANA / "json").glob("*.json"))
RULES = ROOT / "deploy" / "prometheus" / "rules"
VENV = ROOT / "build" / "grafana-11.6.0"
OF_PROMETHEUS = {"up": set[str]()}
OF_EVERY_SCRAPE = {"job", "instance"}
COUNTERS = ("_total", "_bucket", "_count", "_sum")
COLUMNS = 24
of_each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@cache
def board(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def known() -> dict[str, set[str]]:
    return exposed() | OF_PROMETHEUS


def panels(path: Path) -> list[Any]:
    return [panel for panel in board(path)["panels"] if panel["type"] != "row"]


def queries(path: Path) -> Iterator[tuple[str, str, str]]:
    """Panel, expression and legend."""
    for panel in panels(path):
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def choices(path: Path) -> dict[str, Any]:
    return {one["name"]: one for one in board(path)["templating"]["list"]}


def unknown_names(expression: str, legend: str) -> list[str]:
    """Metrics that nobody exposes, and labels that they don't have."""
    metrics = metrics_of(expression)
    wrong = [name for name in metrics if name not in known()]
    labels = set[str]().union(*(known().get(name, set()) for name in metrics))
    labels |= OF_EVERY_SCRAPE | made_labels(expression)
    grouped = grouped_labels(expression)
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    wrong += [
        f"{metric}.{label}"
        for metric, label in matched_labels(expression)
        if label not in known().get(metric, set()) | OF_EVERY_SCRAPE
    ]
    return sorted([*wrong, *(grouped - labels), *(shown - (grouped or labels))])


def test_there_is_a_dashboard_for_each_question() -> None:
    assert [path.stem for path in FILES] == [
        "data_quality", "flow", "monte_carlo", "risk", "strategy", "system", "trading",
    ]  # fmt: skip
    uids = [board(path)["uid"] for path in FILES]
    assert len(set(uids)) == len(uids)
    assert all("stratvector" in board(path)["tags"] for path in FILES)


@of_each_file
def test_every_panel_explains_itself(path: Path) -> None:
    titles = [panel["title"] for panel in panels(path)]
    assert len(set(titles)) == len(titles)
    for panel in panels(path):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == [chr(ord("A") + place) for place in range(len(refs))], panel["title"]
        assert refs, panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]


@of_each_file
def test_panels_have_ids_and_places_of_their_own(path: Path) -> None:
    ids = [panel["id"] for panel in board(path)["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in board(path)["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < COLUMNS


@of_each_file
def test_no_data_source_is_fixed(path: Path) -> None:
    names = {f"${{{name}}}" for name, one in choices(path).items() if one["type"] == "datasource"}
    asked = [panel["datasource"] for panel in panels(path)]
    asked += [target["datasource"] for panel in panels(path) for target in panel["targets"]]
    asked += [one["datasource"] for one in choices(path).values() if one["type"] == "query"]
    assert {source["uid"] for source in asked} == {"${metrics}"}
    assert names >= set(re.findall(r"\$\{(?:metrics|traces)\}", json.dumps(board(path))))


@of_each_file
def test_every_variable_of_an_expression_can_be_chosen(path: Path) -> None:
    asked = [one["query"] for one in choices(path).values() if one["type"] == "query"]
    texts = [*asked, *(without_windows(expression) for _, expression, _ in queries(path))]
    used = set(re.findall(r"\$([a-z]\w*)", " ".join(texts)))
    assert used == {name for name, one in choices(path).items() if one["type"] == "query"}


@of_each_file
def test_every_metric_and_label_is_one_that_is_exposed(path: Path) -> None:
    wrong = {
        title: names for title, e, legend in queries(path) if (names := unknown_names(e, legend))
    }
    assert wrong == {}


@of_each_file
def test_rates_are_taken_of_counters_only(path: Path) -> None:
    names = {name for _, expression, _ in queries(path) for name in increasing(expression)}
    assert [name for name in sorted(names) if not name.endswith(COUNTERS)] == []


def test_every_metric_of_the_product_is_on_a_dashboard() -> None:
    shown = {name for path in FILES for _, e, _ in queries(path) for name in metrics_of(e)}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown}
    ours = {
        re.sub(r"_(bucket|count|sum)$", "", name)
        for name in known()
        if name.startswith(("stratvector_", "order_", "strategy_"))
    }
    assert sorted(ours - families) == []


@pytest.mark.parametrize(
    ("expression", "legend", "found"),
    [
        ("sum(stratvector_orders_total)", "all", ["stratvector_orders_total"]),
        ('up{portfolio=~"$portfolio"}', "{{job}}", ["up.portfolio"]),
        ("sum by (symbol) (rate(stratvector_order_outcomes_total[5m]))", "all", ["symbol"]),
        ("sum by (outcome) (stratvector_order_outcomes_total)", "{{job}}", ["job"]),
        ("sum by (outcome) (stratvector_order_outcomes_total) or vector(0)", "{{outcome}}", []),
    ],
)
def test_a_planted_name_that_nothing_exposes_is_found(
    expression: str, legend: str, found: list[str]
) -> None:
    assert unknown_names(expression, legend) == found


@pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed: no promtool")
def test_prometheus_parses_every_expression(tmp_path: Path) -> None:
    assert refused(tmp_path, [e for path in FILES for _, e, _ in queries(path)]) == ""
    assert "parse error" in refused(tmp_path, ["sum(rate(up[$__rate_interval])"])


def refused(folder: Path, expressions: list[str]) -> str:
    """What promtool says against them; each stands in a rule, the only thing that it parses."""
    rules = [
        {"record": f"dashboard:expression:{place}", "expr": without_windows(expression)}
        for place, expression in enumerate(expressions)
    ]
    file = folder / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    run = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    return run.stderr if run.returncode else ""


@of_each_file
def test_every_panel_leads_to_the_runbook(path: Path) -> None:
    assert choices(path)["runbook"]["query"].startswith("/")
    for panel in panels(path):
        assert panel["links"][0]["url"].startswith("${runbook:raw}"), panel["title"]
        assert "://" not in json.dumps(panel["links"]), panel["title"]


@pytest.mark.skipif(not RULES.exists(), reason="there are no alerts yet that a link could mean")
@of_each_file
def test_a_link_into_the_runbook_names_an_alert(path: Path) -> None:
    groups = [g for file in RULES.glob("*.yml") for g in yaml.safe_load(file.read_text())["groups"]]
    alerts = {
        rule["alert"].lower() for group in groups for rule in group["rules"] if "alert" in rule
    }
    named = {panel["links"][0]["url"].partition("#")[2] for panel in panels(path)} - {""}
    assert named <= alerts


def test_provisioning_finds_the_dashboards_and_their_sources() -> None:
    provisioned = GRAFANA / "provisioning"
    files = [*provisioned.glob("datasources/*.yml"), *provisioned.glob("dashboards/*.yml")]
    read = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    kinds = {one["type"] for name in ("metrics", "traces") for one in read[name]["datasources"]}
    wanted = {
        one["query"]
        for path in FILES
        for one in choices(path).values()
        if one["type"] == "datasource"
    }
    assert kinds == wanted == {"prometheus", "jaeger"}
    assert not read["stratvector"]["providers"][0]["allowUiUpdates"]


needs_the_generator = pytest.mark.skipif(
    not VENV.exists(), reason="the generator has no venv: run tools/grafana.sh"
)


def generator(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VENV / "bin" / "python", "-c", code, str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@needs_the_generator
def test_every_file_is_fresh() -> None:
    run = generator(
        GRAFANA, "import sys; from grafana.generate import main; sys.exit(main(['--check']))"
    )
    assert (run.returncode, run.stderr) == (0, "")


@needs_the_generator
def test_a_file_that_is_not_fresh_is_named(tmp_path: Path) -> None:
    for path in FILES:
        shutil.copy(path, tmp_path)
    (tmp_path / "risk.json").write_text(FILES[0].read_text())
    (tmp_path / "flow.json").unlink()
    (tmp_path / "old.json").touch()
    run = generator(
        tmp_path,
        "import sys, pathlib; from grafana.generate import stale\n"
        "print(*stale(pathlib.Path(sys.argv[1])), sep='\\n')",
    )
    assert run.stdout.splitlines() == [
        "grafana/json/flow.json is not fresh: run tools/grafana.sh",
        "grafana/json/risk.json is not fresh: run tools/grafana.sh",
        "grafana/json/old.json is made by no dashboard: delete it",
    ]
