"""The chart with each of its values files: valid for six versions of Kubernetes, safe to run."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from stratvector.cli.cluster_secrets import layout
from stratvector.trading.flow import COMPANIONS, SERVICES
from tests.deploy.chart import (
    CHART,
    RELEASE,
    VALUES,
    WORKLOADS,
    Helm,
    Refused,
    Rendered,
    Values,
    by_name,
    containers_of,
    needs_helm,
    pod_of,
    quantity,
    values_of,
)
from tests.deploy.chart_rules import breaches

pytestmark = needs_helm

VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36")
ALL = (*SERVICES, *COMPANIONS)
SMALL = CHART / "values-small.yaml"
EVERYTHING: Values = {
    "monitoring": {"enabled": True},
    "keda": {"enabled": True},
    "podDisruptionBudget": {"enabled": True},
    "topologySpread": {"enabled": True},
    "ingress": {"enabled": True, "host": "trading.example.com", "className": "nginx"},
    "nats": {"replicas": 3},
    "services": {one: {"autoscaling": {"enabled": True}} for one in ALL},
}
CUSTOM = ("monitoring.coreos.com/v1", "keda.sh/v1alpha1")
OF_CERT_MANAGER = "cert-manager.io/v1"


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    with Helm() as started:
        yield started


@pytest.fixture(scope="module")
def releases(helm: Helm) -> dict[str, Rendered]:
    """Every values file's, and one with everything switched on."""
    rendered = {file.name: helm.render(values_of(file)) for file in VALUES}
    return rendered | {"everything": helm.render(EVERYTHING)}


@pytest.mark.parametrize("file", VALUES, ids=lambda file: file.name)
def test_a_strict_lint_finds_nothing(file: Path, helm: Helm) -> None:
    values = values_of(file)
    assert helm.ask("lint", folder=str(CHART), values=values, version="1.36") == []


def test_the_packaged_chart_holds_configuration_rules_and_dashboards(
    helm: Helm, tmp_path: Path
) -> None:
    archive = helm.ask("package", folder=str(CHART), destination=str(tmp_path))
    found = helm.ask("render", folder=archive, values=EVERYTHING, release=RELEASE)
    assert found["objects"] == list(helm.render(EVERYTHING).objects)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_kubernetes_own(
    version: str, helm: Helm, releases: dict[str, Rendered]
) -> None:
    others = (*CUSTOM, OF_CERT_MANAGER)
    for rendered in releases.values():
        plain = [one for one in rendered.objects if one["apiVersion"] not in others]
        assert helm.ask("validate", objects=plain, version=version) == []


def test_a_planted_typing_error_is_found(helm: Helm, releases: dict[str, Rendered]) -> None:
    planted = deepcopy(releases["values.yaml"].one("Deployment", "stratvector-risk"))
    planted["spec"]["template"]["spec"]["contaners"] = []
    (said,) = helm.ask("validate", objects=[planted], version="1.36")
    assert "contaners" in said


def test_every_object_of_prometheus_operator_and_keda_is_one(
    helm: Helm, releases: dict[str, Rendered]
) -> None:
    custom = [one for one in releases["everything"].objects if one["apiVersion"] in CUSTOM]
    kinds = {one["kind"] for one in custom}
    assert kinds == {"ServiceMonitor", "PrometheusRule", "ScaledObject"}
    assert helm.ask("validate_custom", objects=custom) == []
    custom[0]["spec"]["typo"] = 1
    assert len(helm.ask("validate_custom", objects=custom)) == 1


@pytest.mark.parametrize("name", [*(file.name for file in VALUES), "everything"])
def test_every_pod_keeps_every_rule(name: str, releases: dict[str, Rendered]) -> None:
    assert breaches(releases[name]) == []


def broken(rendered: Rendered, where: str, key: str, value: Any) -> Rendered:
    """The same release with one value of risk's pod or container changed."""
    objects = deepcopy(rendered.objects)
    changed = Rendered(objects, rendered.notes)
    pod = pod_of(changed.one("Deployment", "stratvector-risk"))["spec"]
    target = {"pod": pod, "container": pod["containers"][0]}[where]
    *path, last = key.split(".")
    for step in path:
        target = target[step]
    target[last] = value
    return changed


@pytest.mark.parametrize(
    ("where", "key", "value", "said"),
    [
        ("pod", "securityContext.runAsNonRoot", False, "may run as root"),
        ("pod", "securityContext.fsGroup", 0, "are not 10001"),
        ("pod", "automountServiceAccountToken", True, "is given a token"),
        ("pod", "enableServiceLinks", True, "variables of Services"),
        ("pod", "hostNetwork", True, "sees its host"),
        ("container", "securityContext.readOnlyRootFilesystem", False, "may write its root"),
        ("container", "securityContext.capabilities", {}, "keeps capabilities"),
        ("container", "resources.limits", {}, "has no limits"),
        ("container", "image", "stratvector/risk:latest", "without a version"),
        ("container", "image", "stratvector/risk", "without a version"),
        ("container", "readinessProbe", {}, "has no readinessProbe"),
        ("container", "startupProbe.failureThreshold", 2, "five minutes"),
        ("pod", "volumes", [{"name": "tmp", "emptyDir": {}}], "has no bound"),
    ],
)
def test_a_planted_breach_is_found(
    where: str, key: str, value: Any, said: str, releases: dict[str, Rendered]
) -> None:
    found = breaches(broken(releases["values.yaml"], where, key, value))
    assert any(said in one for one in found), found


def test_the_small_cluster_s_requests_fit_on_one_node(
    releases: dict[str, Rendered], say: Any
) -> None:
    """Everything that may run at one time after the install: services, bus, database and jobs."""
    cores, memory = 0.0, 0.0
    for workload in releases[SMALL.name].of("Deployment", "StatefulSet", "Job"):
        if "helm.sh/hook" in workload["metadata"].get("annotations", {}):
            continue
        replicas = workload["spec"].get("replicas", 1)
        spec = pod_of(workload)["spec"]
        for resource in ("cpu", "memory"):
            asked = [
                quantity(one["resources"]["requests"][resource])
                for one in containers_of({"spec": spec})
            ]
            first = len(spec.get("initContainers", ()))
            needed = replicas * max([sum(asked[first:]), *asked[:first]])
            cores, memory = (
                (cores + needed, memory) if resource == "cpu" else (cores, memory + needed)
            )
    say(f"helm: the small cluster asks for {cores:.2f} cores and {memory / 2**30:.2f} GiB")
    assert cores <= 1.2
    assert memory <= 2.5 * 2**30


def test_the_small_cluster_needs_no_crd_and_nothing_scales_there(
    releases: dict[str, Rendered],
) -> None:
    small = releases[SMALL.name]
    groups = {one["apiVersion"].split("/")[0] for one in small.objects if "/" in one["apiVersion"]}
    assert groups <= {
        "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io",
    }  # fmt: skip
    for deployment in small.of("Deployment"):
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0
    assert small.one("StatefulSet", "stratvector-nats")["spec"]["replicas"] == 1


@pytest.mark.parametrize("service", ALL)
def test_scaling_one_service_changes_only_its_own_objects(
    service: str, helm: Helm, releases: dict[str, Rendered]
) -> None:
    wanted = 0 if service == "research" else 3
    scaled = by_name(helm.render({"services": {service: {"replicas": wanted}}}).objects)
    before = by_name(releases["values.yaml"].objects)
    changed = [named for named in before if before[named] != scaled[named]]
    assert scaled.keys() == before.keys()
    (named,) = changed
    assert named[1] == f"stratvector-{service.replace('_', '-')}"
    assert scaled[named]["spec"]["replicas"] == wanted


@pytest.mark.parametrize("by_keda", [False, True])
def test_who_is_scaled_by_a_signal_states_no_replicas(by_keda: bool, helm: Helm) -> None:
    values = {"keda": {"enabled": by_keda}, "services": EVERYTHING["services"]}
    rendered = helm.render(values)
    scalers = rendered.of("HorizontalPodAutoscaler", "ScaledObject")
    assert len(scalers) == len(ALL)
    for scaler in scalers:
        target = scaler["spec"]["scaleTargetRef"]
        assert "replicas" not in rendered.one(target["kind"], target["name"])["spec"]


@pytest.mark.parametrize(("servers", "kept"), [(1, 1), (3, 3), (5, 3)])
def test_streams_are_kept_by_at_most_three_servers(servers: int, kept: int, helm: Helm) -> None:
    rendered = helm.render({"nats": {"replicas": servers}})
    (job,) = (one for one in rendered.of("Job") if "-apply-" in one["metadata"]["name"])
    (provision,) = pod_of(job)["spec"]["initContainers"]
    assert f"--replicas={kept}" in provision["args"]
    config = rendered.one("ConfigMap", "stratvector-nats")["data"]["nats.conf"]
    assert config.count("nats-route://") == (servers if servers > 1 else 0)


def test_only_the_job_that_makes_secrets_has_a_token_and_rights(
    releases: dict[str, Rendered],
) -> None:
    everything = releases["everything"]
    with_token = {
        workload["metadata"]["name"]
        for workload in everything.of(*WORKLOADS)
        for volume in pod_of(workload)["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
        if "serviceAccountToken" in source
    }
    bound = {subject["name"] for one in everything.of("RoleBinding") for subject in one["subjects"]}
    assert with_token == bound == {"stratvector-secrets"}
    assert everything.of("ClusterRole", "ClusterRoleBinding") == []
    for kind in ("ServiceAccount", "Role", "RoleBinding", "NetworkPolicy"):
        annotations = everything.one(kind, "stratvector-secrets")["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert int(annotations["helm.sh/hook-weight"]) < 0


def test_the_job_may_read_just_the_secrets_that_it_makes(releases: dict[str, Rendered]) -> None:
    role = releases["values.yaml"].one("Role", "stratvector-secrets")
    (named,) = (rule for rule in role["rules"] if "resourceNames" in rule)
    assert set(named["resourceNames"]) == {f"{RELEASE}-{name}" for name in layout()}
    assert named["verbs"] == ["get", "update"]


def test_every_mounted_secret_is_made_by_the_job_and_no_service_sees_another_s(
    releases: dict[str, Rendered],
) -> None:
    made = {f"{RELEASE}-{name}" for name in layout()}
    for workload in releases["values.yaml"].of("Deployment", "StatefulSet"):
        volumes = pod_of(workload)["spec"]["volumes"]
        held = {one["secret"]["secretName"] for one in volumes if "secret" in one}
        assert held <= made
        component = workload["metadata"]["labels"]["app.kubernetes.io/component"]
        if component in ALL:
            own = component.replace("_", "-")
            database = {f"{RELEASE}-postgresql"} if component == "ledger" else set()
            assert held <= {f"{RELEASE}-keys-{own}", f"{RELEASE}-tls-{own}"} | database


def apply_job(rendered: Rendered) -> str:
    (name,) = (
        one["metadata"]["name"]
        for one in rendered.of("Job")
        if "-apply-" in one["metadata"]["name"]
    )
    return str(name)


def test_a_changed_configuration_is_another_job_and_nothing_else_restarts_it(helm: Helm) -> None:
    before = helm.render({})
    system = (CHART / "files/config/system.yaml").read_text()
    changed = helm.render({"config": {"files": {"system.yaml": system.replace("1.2", "1.1")}}})
    assert apply_job(changed) != apply_job(before)
    assert apply_job(helm.render({"services": {"risk": {"replicas": 2}}})) == apply_job(before)
    assert changed.one("ConfigMap", "stratvector-config")["data"]["system.yaml"] != system
    moved = {
        named
        for named, one in by_name(before.objects).items()
        if by_name(changed.objects).get(named) != one
    }
    # Those that read the configuration's folder roll, the others go on.
    assert moved == {
        ("ConfigMap", "stratvector-config"),
        ("Job", apply_job(before)),
        ("Deployment", "stratvector-drift"),
        ("StatefulSet", "stratvector-research"),
    }


def test_whatever_changes_in_a_job_changes_its_name(helm: Helm) -> None:
    """A job can't be changed, so an upgrade that kept its name would fail."""
    changes: list[Values] = [
        {},
        {"image": {"tag": "0.2.0"}},
        {"tls": {"enabled": False}},
        {"nodeSelector": {"disk": "fast"}},
        {"jobs": {"resources": {"limits": {"memory": "1Gi"}}}},
        {"config": {"run": "second"}},
    ]
    names: dict[str, Any] = {}
    for values in changes:
        for job in helm.render(values).of("Job"):
            if "helm.sh/hook" in job["metadata"].get("annotations", {}):
                continue
            named = names.setdefault(job["metadata"]["name"], job["spec"])
            assert named == job["spec"]
    assert sum("-apply-" in name for name in names) == len(changes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image": {"tag": "latest"}}, "image/tag"),
        ({"image": {"tags": "1"}}, "tags"),
        ({"services": {"rsik": {"replicas": 1}}}, "rsik"),
        ({"services": {"risk": {"replicas": -1}}}, "minimum"),
        ({"services": {"research": {"replicas": 2}}}, "maximum"),
        ({"services": {"risk": {"resources": {"limits": {"memory": "much"}}}}}, "pattern"),
        ({"nats": {"replicas": 2}}, "nats/replicas"),
        ({"nats": {"enabled": False}}, "nats.externalUrl must name a server"),
        ({"ingress": {"enabled": True}}, "ingress.host must name the console"),
        (
            {"services": {"ledger": {"database": "sqlite", "replicas": 2}}},
            "services.ledger.replicas is 2; a ledger on sqlite has one",
        ),
        ({"services": {"ledger": {"database": "external"}}}, "external.url must name the database"),
        (
            {"services": {"ledger": {"external": {"url": "postgresql://me:secret@db/ledger"}}}},
            "services/ledger/external/url",
        ),
        (
            {"services": {"risk": {"autoscaling": {"minReplicas": 9, "maxReplicas": 3}}}},
            "minReplicas is 9; minReplicas <= maxReplicas (3) must hold",
        ),
        ({"rollingUpdate": {"maxSurge": 0}}, "one must be above"),
    ],
)
def test_wrong_values_are_refused_with_their_key(values: Values, said: str, helm: Helm) -> None:
    with pytest.raises(Refused) as refusal:
        helm.render(values)
    assert said in str(refusal.value)


def test_the_notes_tell_how_to_read_the_token_and_the_next_three_commands(
    releases: dict[str, Rendered],
) -> None:
    notes = releases["values.yaml"].notes
    commands = [line.strip() for line in notes.splitlines() if line.strip().startswith("kubectl")]
    assert len(commands) == 3
    assert "get secret stratvector-keys-gateway" in commands[1]
    assert "port-forward service/stratvector-console 8000:8000" in commands[2]
    assert "https://localhost:8000" in notes
    assert "emptyDir" in notes
    assert "emptyDir" not in releases["values-production.yaml"].notes
