"""Where images and volumes come from: every form that values may name."""

from collections.abc import Iterator

import pytest

from tests.deploy.chart import Helm, Object, Rendered, containers_of, needs_helm, pod_of
from tests.deploy.chart_rules import breaches

pytestmark = needs_helm

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
STATEFUL = ("market_data", "research")


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    with Helm() as started:
        yield started


def image_of(rendered: Rendered, kind: str, name: str) -> str:
    container = next(containers_of(pod_of(rendered.one(kind, name))))
    return str(container["image"])


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "stratvector/risk:0.1.0"),
        ({"tag": "0.2.0"}, "stratvector/risk:0.2.0"),
        (
            {"registry": "registry.example.com:5000", "repository": "house/stratvector"},
            "registry.example.com:5000/house/stratvector/risk:0.1.0",
        ),
        ({"digests": {"risk": DIGEST}, "tag": "0.2.0"}, f"stratvector/risk@{DIGEST}"),
        ({"digests": {"ledger": DIGEST}}, "stratvector/risk:0.1.0"),
    ],
)
def test_an_image_is_named_by_registry_and_tag_or_digest(
    image: Object, expected: str, helm: Helm
) -> None:
    rendered = helm.render({"image": image})
    assert image_of(rendered, "Deployment", "stratvector-risk") == expected


def test_programs_of_others_have_names_of_their_own(helm: Helm) -> None:
    rendered = helm.render(
        {
            "image": {"registry": "ours.example.com", "pullSecrets": [{"name": "ours"}]},
            "nats": {"image": {"registry": "mirror.example.com"}},
            "postgresql": {"image": {"digest": DIGEST}},
        }
    )
    nats = image_of(rendered, "StatefulSet", "stratvector-nats")
    assert nats == "mirror.example.com/nats:2.15.1-alpine"
    database = image_of(rendered, "StatefulSet", "stratvector-postgresql")
    assert database == f"postgres@{DIGEST}"
    for workload in rendered.of("Deployment", "StatefulSet", "Job", "Pod"):
        assert pod_of(workload)["spec"]["imagePullSecrets"] == [{"name": "ours"}]


def persisted(helm: Helm, persistence: Object) -> Rendered:
    return helm.render(
        {
            "services": {name: {"persistence": persistence} for name in STATEFUL},
            "nats": {"persistence": persistence},
            "postgresql": {"persistence": persistence},
        }
    )


def test_a_storage_class_makes_a_claim_for_each_replica(helm: Helm) -> None:
    rendered = persisted(helm, {"storageClass": "fast", "size": "7Gi"})
    assert breaches(rendered) == []
    sets = rendered.of("StatefulSet")
    assert len(sets) == 4
    for one in sets:
        (claim,) = one["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["storageClassName"] == "fast"
        assert claim["spec"]["resources"]["requests"]["storage"] == "7Gi"
        assert "data" not in {volume["name"] for volume in pod_of(one)["spec"]["volumes"]}
    assert "emptyDir" not in rendered.notes


def test_a_claim_that_is_there_is_mounted_and_none_is_shared(helm: Helm) -> None:
    claims = {"persistence": {"existingClaim": "store", "storageClass": "ignored"}}
    rendered = helm.render({"services": {"market_data": claims}})
    assert breaches(rendered) == []
    workload = rendered.one("StatefulSet", "stratvector-market-data")
    assert "volumeClaimTemplates" not in workload["spec"]
    (volume,) = (one for one in pod_of(workload)["spec"]["volumes"] if one["name"] == "data")
    assert volume["persistentVolumeClaim"] == {"claimName": "store"}
    both = helm.render({"services": {"market_data": claims, "research": claims}})
    assert any("share the volume store" in one for one in breaches(both))


def test_without_either_data_are_bounded_and_end_with_the_pod(helm: Helm) -> None:
    for one in persisted(helm, {"size": "3Gi"}).of("StatefulSet"):
        (volume,) = (each for each in pod_of(one)["spec"]["volumes"] if each["name"] == "data")
        assert volume["emptyDir"] == {"sizeLimit": "3Gi"}


def test_a_ledger_on_sqlite_has_a_volume_and_no_database_beside_it(helm: Helm) -> None:
    rendered = helm.render({"services": {"ledger": {"database": "sqlite"}}})
    workload = rendered.one("StatefulSet", "stratvector-ledger")
    mounts = {one["name"] for one in next(containers_of(pod_of(workload)))["volumeMounts"]}
    assert "data" in mounts
    names = {one["metadata"]["name"] for one in rendered.objects}
    assert not any("postgresql" in name or "migrate-" in name for name in names)


def test_pods_of_one_service_may_have_a_place_of_their_own(helm: Helm) -> None:
    fast = {"disk": "fast"}
    rendered = helm.render(
        {"nodeSelector": {"pool": "trading"}, "services": {"ledger": {"nodeSelector": fast}}}
    )
    for workload in rendered.of("Deployment"):
        is_ledger = workload["metadata"]["name"] == "stratvector-ledger"
        selector = pod_of(workload)["spec"]["nodeSelector"]
        assert selector == (fast if is_ledger else {"pool": "trading"})
