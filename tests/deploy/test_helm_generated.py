"""Two hundred sets of values, drawn from the chart's schema: each renders and keeps every rule."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.deploy.chart import CHART, Helm, Object, Values, by_name, needs_helm
from tests.deploy.chart_rules import breaches

pytestmark = needs_helm

SETS = 200
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
PLAIN = ("v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1",
         "rbac.authorization.k8s.io/v1")  # fmt: skip
CUSTOM = ("monitoring.coreos.com/v1", "keda.sh/v1alpha1")


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    with Helm() as started:
        yield started


def drawn_from(schema: Mapping[str, Any]) -> st.SearchStrategy[Any] | None:
    """Values of a schema; None where it has neither bounds nor choices nor examples."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    for choices in ("enum", "examples"):
        if choices in schema:
            return st.sampled_from(schema[choices])
    match schema.get("type"):
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "object":
            return _object(schema)
    return None


def _object(schema: Mapping[str, Any]) -> st.SearchStrategy[Any] | None:
    """Any of its keys, each now and then; the chart has a default for those that are left out."""
    found = {name: drawn_from(one) for name, one in schema.get("properties", {}).items()}
    drawn = {name: one for name, one in found.items() if one is not None}
    needed = {name: drawn.pop(name) for name in schema.get("required", ()) if name in drawn}
    if len(needed) < len(schema.get("required", ())) or not (needed or drawn):
        return None
    return st.fixed_dictionaries(needed, optional=drawn)


def meant(values: Values) -> Values:
    """What a person who wants that would add, so that the chart does not refuse it; what it refuses
    has tests of its own.
    """
    values = deepcopy(values)
    for name, own in values.setdefault("services", {}).items():
        scaling = own.get("autoscaling", {})
        if scaling:
            least = scaling.get("minReplicas", 1)
            scaling["maxReplicas"] = max(scaling.get("maxReplicas", 1), least)
        if name == "ledger" and own.get("database") == "sqlite":
            own["replicas"] = min(own.get("replicas", 1), 1)
        if name == "ledger" and own.get("database") == "external":
            own["external"] = {"url": "postgresql://me@db/ledger", "passwordSecret": "database"}
    if values.get("nats", {}).get("enabled") is False:
        values["nats"]["externalUrl"] = "tls://nats.example.com:4222"
    if values.get("ingress", {}).get("enabled"):
        values["ingress"]["host"] = "trading.example.com"
    if values.get("backup", {}).get("enabled"):
        values["backup"]["existingClaim"] = "backups"
    rolling = values.get("rollingUpdate", {})
    if rolling.get("maxSurge") == 0 and rolling.get("maxUnavailable", 0) == 0:
        rolling["maxUnavailable"] = 1
    return values


def shape(one: Any) -> Any:
    """What a schema looks at: keys, kinds of values, and values that are chosen from a list."""
    if isinstance(one, dict):
        return tuple((key, shape(value)) for key, value in sorted(one.items()))
    if isinstance(one, list):
        return tuple({shape(value) for value in one})
    return type(one).__name__


def test_every_generated_set_renders_and_keeps_every_rule(helm: Helm, say: Any) -> None:
    values = drawn_from(SCHEMA)
    assert values is not None
    rendered: list[Object] = []
    shapes: dict[Any, Object] = {}

    @settings(
        max_examples=SETS,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(values.map(meant))
    def check(drawn: Values) -> None:
        release = helm.render(drawn)
        assert breaches(release) == []
        assert len(by_name(release.objects)) == len(release.objects)
        rendered.append(drawn)
        for one in release.objects:
            shapes.setdefault((one["kind"], shape(one)), one)

    check()
    assert len(rendered) >= SETS
    plain = [one for one in shapes.values() if one["apiVersion"] in PLAIN]
    custom = [one for one in shapes.values() if one["apiVersion"] in CUSTOM]
    assert helm.ask("validate", objects=plain, version="1.36") == []
    assert helm.ask("validate_custom", objects=custom) == []
    switched = {json.dumps(one, sort_keys=True) for one in rendered}
    say(
        f"helm: {len(rendered)} sets of values ({len(switched)} of them different), "
        f"{len(shapes)} shapes of objects"
    )
    assert len(switched) > SETS * 0.9
