"""What a server of the OpenStack stack does: takes what its metadata says, and runs its part."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.openstack.prometheus_files import agent, monitoring

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "openstack"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
COMPOSE = ROOT / "docker-compose.yml"
PROMETHEUS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
SERVE = """#!/usr/bin/env bash
set -eu
echo "$1 $ROLE $(cat "$(dirname "$0")/../../content") ${counts:-}" >>"$STRATVECTOR_STATE/calls"
[[ ! -e $STRATVECTOR_STATE/broken ]]
"""


class Cloud:
    """Serves a server's metadata and config.tar.gz, as OpenStack and its object store do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.meta: dict[str, str] = {}
        (folder / "server.env").write_text("ROLE=app\n")
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cloud.asked.append(self.path)
                page = cloud.pages.get(self.path)
                self.send_response(404 if page is None else 200)
                self.end_headers()
                self.wfile.write(page or b"")

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def release(self, content: str, serve: str = SERVE) -> str:
        """Offer a config.tar.gz, and return its SHA-256."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, text in (("content", content), ("deploy/openstack/serve.sh", serve)):
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(text), 0o755
                tar.addfile(member, io.BytesIO(text.encode()))
        self.pages["/config.tar.gz"] = packed.getvalue()
        return hashlib.sha256(packed.getvalue()).hexdigest()

    def wants(self, sha256: str, **more: str) -> None:
        told = {"config_url": f"{self.address}/config.tar.gz", "config_sha256": sha256, **more}
        self.meta = told
        self.pages["/meta"] = json.dumps({"uuid": "1", "meta": told}).encode()

    def update(self) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": "/usr/bin:/bin",
            "STRATVECTOR_HOME": str(self.folder / "home"),
            "STRATVECTOR_STATE": str(self.state),
            "STRATVECTOR_SERVER_FILE": str(self.folder / "server.env"),
            "STRATVECTOR_METADATA_URL": f"{self.address}/meta",
        }
        return subprocess.run(
            [FOLDER / "update.sh"], env=environment, capture_output=True, text=True, timeout=60
        )

    def calls(self) -> list[str]:
        return [line.strip() for line in (self.state / "calls").read_text().splitlines()]

    def releases(self) -> set[str]:
        return {path.name for path in (self.folder / "home" / "releases").iterdir()}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    thread = threading.Thread(target=made.http.serve_forever)
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def test_a_server_runs_what_its_metadata_names_and_then_only_looks_after_it(cloud: Cloud) -> None:
    cloud.wants(cloud.release("first"), counts="strategy=2 risk=1")
    for _ in range(2):
        assert cloud.update().returncode == 0
    assert cloud.calls() == [
        "start app first strategy=2 risk=1",
        "refresh app first strategy=2 risk=1",
    ]
    assert cloud.asked.count("/config.tar.gz") == 1


def test_changed_counts_start_again_without_another_download(cloud: Cloud) -> None:
    sha256 = cloud.release("first")
    for counts in ("strategy=1", "strategy=3"):
        cloud.wants(sha256, counts=counts)
        assert cloud.update().returncode == 0
    assert cloud.calls() == ["start app first strategy=1", "start app first strategy=3"]
    assert cloud.asked.count("/config.tar.gz") == 1


def test_a_new_configuration_reaches_a_living_server(cloud: Cloud) -> None:
    for content in ("first", "second"):
        cloud.wants(cloud.release(content))
        assert cloud.update().returncode == 0
    assert cloud.calls() == ["start app first", "start app second"]


def test_a_file_of_another_hash_is_not_unpacked_and_what_runs_goes_on(cloud: Cloud) -> None:
    first = cloud.release("first")
    cloud.wants(first)
    cloud.update()
    cloud.release("tampered")
    cloud.wants("0" * 64)
    refused = cloud.update()
    assert refused.returncode != 0
    assert f"has not the SHA-256 {'0' * 64}" in refused.stderr
    assert cloud.calls() == ["start app first"]
    assert cloud.releases() == {first}


def test_what_did_not_start_is_started_again_by_the_next_minute(cloud: Cloud) -> None:
    cloud.wants(cloud.release("first"))
    cloud.state.mkdir()
    (cloud.state / "broken").touch()
    assert cloud.update().returncode != 0
    (cloud.state / "broken").unlink()
    assert cloud.update().returncode == 0
    assert cloud.calls() == ["start app first", "start app first"]


def test_a_download_that_fails_leaves_nothing(cloud: Cloud) -> None:
    cloud.wants(cloud.release("first"))
    del cloud.pages["/config.tar.gz"]
    assert cloud.update().returncode != 0
    assert cloud.releases() == set()


def test_three_releases_are_kept(cloud: Cloud) -> None:
    wanted = []
    for content in ("first", "second", "third", "fourth"):
        wanted.append(cloud.release(content))
        cloud.wants(wanted[-1])
        assert cloud.update().returncode == 0
    assert cloud.releases() == set(wanted[1:])


def test_a_value_of_the_metadata_is_never_run(cloud: Cloud) -> None:
    cloud.wants(cloud.release("first"), counts="$(touch owned) `touch owned` 'quoted'")
    assert cloud.update().returncode == 0
    assert cloud.calls() == ["start app first $(touch owned) `touch owned` 'quoted'"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_valid_and_stops_at_the_first_error(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    assert "set -euo pipefail" in script.read_text()
    assert script.stat().st_mode & 0o111


def test_the_example_of_credentials_holds_none() -> None:
    text = (FOLDER / "openrc.sh.example").read_text()
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert "OS_APPLICATION_CREDENTIAL_ID=\n" in text
    assert "read -rsp" in text


def test_prometheus_is_split_into_who_scrapes_and_who_watches() -> None:
    jobs = {one["job_name"] for one in PROMETHEUS["scrape_configs"]}
    scraping, watching = agent(PROMETHEUS), monitoring(PROMETHEUS)
    scraped = {one["job_name"] for one in scraping["scrape_configs"]}
    assert scraped == jobs - {"prometheus", "alertmanager"}
    assert {one["job_name"] for one in watching["scrape_configs"]} == jobs - scraped
    assert watching["rule_files"] == PROMETHEUS["rule_files"]
    assert "rule_files" not in scraping
    assert scraping["global"]["external_labels"] == {"server": "SERVER_NAME"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")
def test_prometheus_takes_both_parts(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy" / "prometheus" / "rules", tmp_path / "rules")
    for part in (agent(PROMETHEUS), monitoring(PROMETHEUS)):
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(part))
        check = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
        run = subprocess.run(check, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "is valid prometheus config file" in run.stdout


def test_a_server_of_each_role_publishes_only_what_its_security_group_opens() -> None:
    published: dict[str, set[str]] = {}
    for role in ("app", "agent", "worker", "monitoring"):
        services = _override(role)["services"].values()
        published[role] = {port for one in services for port in one.get("ports", ())}
    assert published == {
        "app": {"${app_address:?}:4222:4222", "8000:8000", "8080:9100"},
        "agent": set(),
        "worker": set(),
        "monitoring": {"9091:9090", "9093:9093", "3000:3000"},
    }


@pytest.mark.skipif(not COMPOSE.exists(), reason="docker-compose.yml is not there")
def test_the_overrides_name_only_services_of_the_compose_file() -> None:
    known = yaml.safe_load(COMPOSE.read_text())["services"].keys()
    for role in ("app", "agent", "worker", "monitoring"):
        assert _override(role)["services"].keys() <= known


@pytest.mark.skipif(not COMPOSE.exists(), reason="docker-compose.yml is not there")
def test_the_same_files_are_packed_to_the_same_bytes(tmp_path: Path) -> None:
    told = []
    for name in ("one.tar.gz", "two.tar.gz"):
        run = [FOLDER / "pack.sh", tmp_path / name]
        told.append(subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip())
    packed = (tmp_path / "one.tar.gz").read_bytes()
    assert told == [hashlib.sha256(packed).hexdigest()] * 2
    with tarfile.open(tmp_path / "one.tar.gz") as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
    assert {
        "docker-compose.yml",
        "config/system.yaml",
        "deploy/openstack/serve.sh",
        "deploy/openstack/prometheus.agent.yml",
        "deploy/prometheus/rules/services.yml",
    } <= names
    assert not [name for name in names if name.endswith((".seed", ".key", ".token", ".pyc"))]


def test_what_would_not_run_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "deploy" / "openstack").mkdir(parents=True)
    script = tmp_path / "deploy" / "openstack" / "pack.sh"
    script.write_bytes((FOLDER / "pack.sh").read_bytes())
    refused = subprocess.run(["bash", script], capture_output=True, text=True)
    assert refused.returncode == 1
    assert "docker-compose.yml is missing" in refused.stderr


def _override(role: str) -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        """Knows Compose's `!override`."""

    Loader.add_constructor("!override", lambda _loader, node: [one.value for one in node.value])
    text = (FOLDER / f"compose.{role}.yml").read_text()
    loaded: dict[str, Any] = yaml.load(text, Loader)
    return loaded
