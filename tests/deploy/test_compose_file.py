"""docker-compose.yml as it is written, without an engine; with one it is run: tests/containers."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from stratvector.runtime.certificates import TlsFiles, identity_of
from stratvector.runtime.jetstream.accounts import USERS
from stratvector.runtime.jetstream.server_config import ServerSettings, server_config
from stratvector.trading.flow import HOUSE

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "deploy" / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PREPARE = "prepare"
ONCE = {PREPARE, "provision", "apply"}
BACKUPS = {"backup", "restore"}  # they copy what is one service's own, when a person asks


def volumes_of(service: str) -> dict[str, str]:
    """Named volumes by where they are mounted."""
    mounts = [one.split(":") for one in SERVICES[service].get("volumes", ())]
    return {mount[1]: mount[0] for mount in mounts if mount[0] in COMPOSE["volumes"]}


def test_every_service_of_the_house_is_there_and_is_scraped() -> None:
    assert set(HOUSE) <= set(SERVICES)
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    jobs = {one["job_name"] for one in scraped["scrape_configs"]}
    assert jobs - {"prometheus"} <= set(SERVICES)


def test_no_two_services_share_a_volume_and_each_gets_its_own_secrets() -> None:
    owners: dict[str, str] = {}
    for service in set(SERVICES) - {PREPARE, *BACKUPS}:
        for volume in volumes_of(service).values():
            assert owners.setdefault(volume, service) == service
    handed = {
        place.removeprefix("/handed/"): volume
        for place, volume in volumes_of(PREPARE).items()
        if place.startswith("/handed/")
    }
    owners["backup-secrets"] = "backup"
    users = {"provisioner": "provision", "apply": "apply"}
    for name, volume in handed.items():
        assert owners[volume] == users.get(name, name)
    # The operator's key, which a person uses, and the log's reader are in no container.
    assert set(USERS) - set(handed) == {"operator"}


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"jaeger"}))
def test_it_is_locked_limited_and_only_here(service: str) -> None:
    told = SERVICES[service]
    assert told["read_only"]
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["mem_limit"]
    assert told["pids_limit"]
    assert told["user"] == ("0:0" if service == PREPARE else "472:0" if service == "grafana" else
                            "10001:10001")  # fmt: skip
    assert all(port.startswith("127.0.0.1:") for port in told.get("ports", ()))
    assert not told["image"].endswith(":latest")
    assert re.search(r":v?\d", told["image"])


def test_images_are_of_the_version_that_the_packages_have() -> None:
    version = tomllib.loads((ROOT / "libs" / "cli" / "pyproject.toml").read_text())["project"]
    own = {one["image"] for one in SERVICES.values() if one["image"].startswith("stratvector/")}
    assert own == {f"stratvector/{name}:{version['version']}" for name in (*HOUSE, "cli")}


def test_each_image_that_is_pulled_has_a_stand_in() -> None:
    stand_ins = (DOCKER / "bases.sh").read_text()
    pulled = {one["image"] for one in SERVICES.values()} - {
        one["image"] for one in SERVICES.values() if "stratvector/" in one["image"]
    }
    missing = {one for one in pulled if f"]={one}\n" not in stand_ins}
    assert {one.split(":")[0] for one in missing} == {"grafana/grafana", "jaegertracing/all-in-one"}
    for file in ("python.Dockerfile", "rust.Dockerfile"):
        (base,) = re.findall(r"^ARG \w+_IMAGE=(.+)$", (DOCKER / file).read_text(), re.M)
        assert f"]={base}\n" in stand_ins


def test_the_bus_is_configured_as_everywhere() -> None:
    """The file of the containers and the text that the house writes for a laptop."""
    own = Path("/run/stratvector/tls")
    tls = TlsFiles(own / "ca.crt", own / "tls.crt", own / "tls.key")
    settings = ServerSettings(Path("/data"), 4222, "0.0.0.0", 8222, tls=tls)
    here = (DOCKER / "nats.conf").read_text().splitlines()
    written = [line for line in here if not line.startswith("#")]
    expected = server_config(settings, "stratvector", "include accounts.conf")
    assert sorted(written) == sorted(expected.splitlines())
    assert SERVICES["nats"]["command"] == ["--config", "/run/stratvector/nats.conf"]


@pytest.mark.parametrize("service", sorted({*HOUSE, *BACKUPS, "provision", "apply"}))
def test_whoever_speaks_to_another_does_so_by_tls(service: str) -> None:
    told = SERVICES[service]["environment"]
    own = f"STRATVECTOR_{service.upper()}_" if service in HOUSE else "STRATVECTOR_"
    files = {"CA": "ca.crt", "CERTIFICATE": "tls.crt", "KEY": "tls.key"}
    for name, file in files.items():
        assert told[f"{own}TLS_{name}_FILE"] == f"/run/stratvector/tls/{file}"
    assert told.get(f"{own}NATS_URL", "tls://nats:4222") == "tls://nats:4222"
    assert "http://" not in str(told)


def test_prometheus_knows_each_service_by_the_name_in_its_certificate() -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    jobs = {one["job_name"]: one for one in scraped["scrape_configs"]}
    trusted = "/run/stratvector/tls/ca.crt"
    for service in HOUSE:
        wanted = {"ca_file": trusted, "server_name": identity_of(service)}
        assert (jobs[service]["scheme"], jobs[service]["tls_config"]) == ("https", wanted)
    assert volumes_of("prometheus")["/run/stratvector"] == "prometheus-secrets"


def test_a_service_starts_after_the_streams_are_there_and_whoever_ends_is_waited_for() -> None:
    for service in HOUSE:
        waits = SERVICES[service]["depends_on"]["provision"]
        assert waits == {"condition": "service_completed_successfully"}
    for service in ONCE:
        assert SERVICES[service]["healthcheck"] == {"disable": True}
        assert "restart" not in SERVICES[service]


@pytest.mark.parametrize("service", sorted(BACKUPS))
def test_a_backup_is_a_job_of_its_own_that_reaches_the_bus_and_the_database(service: str) -> None:
    told = SERVICES[service]
    assert told["profiles"] == ["backup"]
    assert told["healthcheck"] == {"disable": True}
    assert "restart" not in told
    assert told["networks"] == SERVICES["ledger"]["networks"]
    ledger = SERVICES["ledger"]["environment"]
    for name in ("DATABASE_URL", "DATABASE_PASSWORD_FILE"):
        key = f"STRATVECTOR_LEDGER_{name}"
        assert told["environment"][key] == ledger[key]
    assert volumes_of(service)["/run/stratvector"] == "backup-secrets"


def test_a_backup_changes_nothing_and_a_restore_reads_its_backup_alone() -> None:
    mounts = {s: [one.rsplit(":", 1) for one in SERVICES[s]["volumes"]] for s in BACKUPS}
    written = {s: {m[0] for m in of if m[1] != "ro"} for s, of in mounts.items()}
    assert written["backup"] == {"${BACKUP_FOLDER:-./backups}"}
    assert written["restore"] == {"market-data-store", "research-results"}


def test_whoever_is_no_service_has_its_volumes_made_for_the_containers_user() -> None:
    owned = {v for place, v in volumes_of(PREPARE).items() if place.startswith("/owned/")}
    for service in BACKUPS:
        assert set(volumes_of(service).values()) - {"backup-secrets"} <= owned


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that writes down what it was told; the file."""
    told = tmp_path / "told"
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$BACKUP_FOLDER| $*" >>{told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return told


def compose(*words: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", str(DOCKER / "compose.sh"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_folder_is_handed_over_before_it_is_written_to(docker: Path, tmp_path: Path) -> None:
    to = tmp_path / "new" / "backups"
    assert compose("backup", str(to)).returncode == 0
    assert to.is_dir()
    _, *told = docker.read_text().splitlines()
    run = f"{to}| compose run --rm --no-deps"
    given = f"--entrypoint chown --volume {to}:/backups prepare -R 10001:10001 /backups"
    assert told == [f"{run} {given}", f"{run} backup"]


def test_a_folder_with_anything_but_backups_is_not_handed_over(
    docker: Path, tmp_path: Path
) -> None:
    to = tmp_path / "home"
    (to / "stratvector-20260105T030000Z").mkdir(parents=True)
    (to / "stratvector-20260105T030000Z" / "backup.json").touch()
    (to / ".lock").touch()
    assert compose("backup", str(to)).returncode == 0
    docker.unlink()
    (to / ".profile").touch()
    refused = compose("backup", str(to))
    assert refused.returncode == 1
    assert f"{to} holds .profile, which is no backup; name an empty folder" in refused.stderr
    assert "chown" not in docker.read_text()


def test_only_a_whole_backup_is_restored_and_the_next_steps_are_told(
    docker: Path, tmp_path: Path
) -> None:
    refused = compose("restore", str(tmp_path))
    assert refused.returncode == 1
    assert "is no whole backup: there is no backup.json in it" in refused.stderr
    (tmp_path / "backup.json").touch()
    docker.unlink()
    restored = compose("restore", str(tmp_path))
    assert restored.returncode == 0, restored.stderr
    assert docker.read_text().splitlines()[-1] == f"{tmp_path}| compose run --rm restore"
    assert "apply portfolios release RUN.PORTFOLIO" in restored.stdout


@pytest.mark.parametrize(("target", "variable"), [("backup", "TO"), ("restore", "FROM")])
def test_make_says_which_folder_it_wants(target: str, variable: str) -> None:
    def make(*words: str) -> "subprocess.CompletedProcess[str]":
        command = ["make", "--dry-run", "--directory", str(ROOT), target, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert f"make {target} {variable}=folder" in make().stderr
    assert f'deploy/docker/compose.sh {target} "/srv/x"' in make(f"{variable}=/srv/x").stdout


def test_a_backup_gets_two_secrets_and_no_service_key() -> None:
    given = re.findall(r"^give backup (\S+)", (DOCKER / "prepare").read_text(), re.M)
    assert sorted(given) == ["/made/keys/provisioner.seed", "/made/password"]
