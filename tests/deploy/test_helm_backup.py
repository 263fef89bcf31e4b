"""The CronJob that backs a release up: off unless it is asked for, and what it may reach."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stratvector.runtime.jetstream.accounts import PROVISIONER
from tests.deploy.chart import (
    Helm,
    Object,
    Refused,
    Rendered,
    environment_of,
    needs_helm,
    pod_of,
)
from tests.deploy.chart_rules import breaches

pytestmark = needs_helm
NAME = "stratvector-backup"
CLAIMED: dict[str, Any] = {"enabled": True, "existingClaim": "backups"}


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    with Helm() as found:
        yield found


def backed_up(helm: Helm, backup: dict[str, Any] | None = None, **others: Any) -> Rendered:
    return helm.render({"backup": CLAIMED | (backup or {}), **others})


def job_of(rendered: Rendered) -> Object:
    return rendered.one("CronJob", NAME)


def reached_by(rendered: Rendered) -> dict[int, set[str]]:
    """Component by port, of what the job may ask; "" is whoever the values name."""
    policy = rendered.one("NetworkPolicy", NAME)
    found: dict[int, set[str]] = {}
    for rule in policy["spec"]["egress"]:
        for port in rule["ports"]:
            for peer in rule["to"]:
                labels = peer.get("podSelector", {}).get("matchLabels", {})
                component = labels.get("app.kubernetes.io/component", "")
                found.setdefault(port["port"], set()).add(component)
    return found


def test_without_being_asked_for_there_is_none(helm: Helm) -> None:
    rendered = helm.render({})
    assert rendered.of("CronJob") == []
    assert not any(one["metadata"]["name"] == NAME for one in rendered.objects)


def test_it_runs_alone_at_its_times_and_keeps_as_many_as_it_is_told(helm: Helm) -> None:
    rendered = backed_up(helm, {"schedule": "0 */6 * * *", "keep": 28})
    assert breaches(rendered) == []
    job = job_of(rendered)
    assert job["spec"]["schedule"] == "0 */6 * * *"
    assert job["spec"]["timeZone"] == "Etc/UTC"
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    (container,) = pod_of(job)["spec"]["containers"]
    assert container["args"][:3] == ["backup", "--to=/backups", "--keep=28"]


def test_the_command_knows_its_words(helm: Helm, tmp_path: Path) -> None:
    """With no bus, so that it says so and nothing else."""
    import sys

    (container,) = pod_of(job_of(backed_up(helm)))["spec"]["containers"]
    told = [word.replace("/backups", str(tmp_path)) for word in container["args"]]
    words = [one for one in told if not one.startswith("--connect")] + ["--connect", "0.2"]
    command = Path(sys.executable).with_name("stratvector")
    url = ["--nats-url", "nats://127.0.0.1:1"]
    ran = subprocess.run([command, *words, *url], capture_output=True, text=True, check=False)
    assert "no nats-server answered at nats://127.0.0.1:1" in ran.stderr


def test_it_has_the_provisioners_key_and_the_ledgers_password_and_no_token(helm: Helm) -> None:
    job = job_of(backed_up(helm))
    told, spec = environment_of(job), pod_of(job)["spec"]
    assert told["STRATVECTOR_NATS_SEED_FILE"].endswith(f"/{PROVISIONER}.seed")
    assert told["STRATVECTOR_LEDGER_DATABASE_URL"].startswith("postgresql://stratvector@")
    assert "password" not in told["STRATVECTOR_LEDGER_DATABASE_URL"]
    secrets = {v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v}
    assert secrets == {f"stratvector-{n}" for n in ("keys-provisioner", "tls-cli", "postgresql")}
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == "stratvector-jobs"


def test_it_reaches_the_bus_and_the_database_and_they_let_it_in(helm: Helm) -> None:
    rendered = backed_up(helm)
    assert reached_by(rendered) == {53: {""}, 4222: {"nats"}, 5432: {"postgresql"}}
    labels = pod_of(job_of(rendered))["metadata"]["labels"]
    for name in ("nats", "postgresql"):
        policy = rendered.one("NetworkPolicy", f"stratvector-{name}")
        peers = [peer for rule in policy["spec"]["ingress"] for peer in rule["from"]]
        wanted = [one["podSelector"]["matchLabels"] for one in peers if "podSelector" in one]
        assert any(one.items() <= labels.items() for one in wanted)
    assert "ingress" not in rendered.one("NetworkPolicy", NAME)["spec"]


def test_with_a_ledger_in_a_file_it_has_no_database(helm: Helm) -> None:
    rendered = backed_up(helm, services={"ledger": {"database": "sqlite"}})
    assert breaches(rendered) == []
    assert "STRATVECTOR_LEDGER_DATABASE_URL" not in environment_of(job_of(rendered))
    assert 5432 not in reached_by(rendered)


def test_it_writes_to_the_claim_that_is_named_and_makes_none(helm: Helm) -> None:
    """`helm install --wait` would wait for a claim that is bound when its first pod runs."""
    rendered = backed_up(helm)
    volumes = {one["name"]: one for one in pod_of(job_of(rendered))["spec"]["volumes"]}
    assert volumes["backups"]["persistentVolumeClaim"]["claimName"] == "backups"
    assert rendered.of("PersistentVolumeClaim") == []


@pytest.mark.parametrize(
    ("backup", "sentence"),
    [
        ({}, "backup.existingClaim is empty: name the claim"),
        ({"schedule": "daily"}, "schedule"),
        ({"keep": 0}, "keep"),
    ],
)
def test_what_can_not_be_is_refused(helm: Helm, backup: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        helm.render({"backup": {"enabled": True} | backup})
