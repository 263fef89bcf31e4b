"""The chart's nats-server: its configuration with the real server, certificates and accounts."""

import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stratvector.cli.main import app
from stratvector.runtime.free_ports import free_ports
from stratvector.runtime.jetstream.server import find_binary
from tests.deploy.chart import Helm, Rendered, bus_laid_out, containers_of, needs_helm, pod_of
from tests.deploy.cluster_api_server import signed_for

pytestmark = needs_helm

PATIENCE_SECONDS = 20.0
CONFIG = "stratvector-nats"


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    with Helm() as started:
        yield started


def laid_out(
    rendered: Rendered, folder: Path, ports: dict[int, int], keys: Path | None = None
) -> Path:
    """The pod's folders below `folder`: configuration, accounts, certificate; the configuration."""
    file = bus_laid_out(rendered, folder, folder / "tls", ports)
    (folder / "tls").mkdir()
    files = [
        "--keys",
        str(keys or folder / "keys"),
        "--accounts",
        str(folder / "accounts/accounts.conf"),
    ]
    assert CliRunner().invoke(app, ["provision", *files]).exit_code == 0
    signed_for(folder / "tls", "nats", "127.0.0.1")
    (folder / "tls" / "ca.crt").write_bytes((folder / "tls" / "tls.crt").read_bytes())
    return file


@pytest.mark.parametrize("servers", [1, 3, 5])
@pytest.mark.parametrize("tls", [True, False])
def test_the_server_takes_its_configuration(
    servers: int, tls: bool, helm: Helm, tmp_path: Path
) -> None:
    rendered = helm.render({"nats": {"replicas": servers}, "tls": {"enabled": tls}})
    file = laid_out(rendered, tmp_path / "nats", {})
    check = subprocess.run([find_binary(), "-t", "-c", file], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("tls", [True, False])
def test_the_probes_find_a_server_ready_without_a_certificate_of_their_own(
    tls: bool, helm: Helm, tmp_path: Path
) -> None:
    rendered = helm.render({"tls": {"enabled": tls}})
    client, monitor = free_ports(2)
    folder = tmp_path / "nats"
    file = laid_out(rendered, folder, {4222: client, 8222: monitor})
    (server, _) = containers_of(pod_of(rendered.one("StatefulSet", CONFIG)))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([find_binary(), "-c", str(file)], stdout=log, stderr=log)
    try:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = server[probe]["httpGet"]
            url = f"{asked['scheme'].lower()}://127.0.0.1:{monitor}{asked['path']}"
            assert _answer(url) == 200, (tmp_path / "log").read_text()
        assert (folder / "run/nats.pid").read_text().strip() == str(process.pid)
    finally:
        process.terminate()
        process.wait()


def test_three_servers_are_one_bus_whose_streams_outlive_any_of_them(
    helm: Helm, tmp_path: Path
) -> None:
    """The pods' names lead to this machine; everything else is the chart's."""
    rendered = helm.render({"tls": {"enabled": False}, "nats": {"replicas": 3}})
    clients, routes, monitors = free_ports(3), free_ports(3), free_ports(3)
    keys = tmp_path / "keys"
    running = []
    with (tmp_path / "log").open("w") as log:
        for number, ports in enumerate(zip(clients, routes, monitors, strict=True)):
            own = dict(zip((4222, 6222, 8222), ports, strict=True))
            file = laid_out(rendered, tmp_path / f"pod-{number}", own, keys)
            text = file.read_text().replace('"pod-0"', f'"pod-{number}"')
            for other, port in enumerate(routes):
                pod = f"stratvector-nats-{other}.stratvector-nats-headless:{own[6222]}"
                text = text.replace(pod, f"127.0.0.1:{port}")
            file.write_text(text)
            command = [find_binary(), "-c", str(file)]
            running.append(subprocess.Popen(command, stdout=log, stderr=log))
    try:
        for monitor in monitors:
            assert _answer(f"http://127.0.0.1:{monitor}/healthz?js-server-only=true") == 200
        assert "BARS" in provisioned_by(clients[0], keys)
        running[0].kill()
        assert provisioned_by(clients[1], keys) == []
    finally:
        for process in running:
            process.kill()
            process.wait()


def provisioned_by(client: int, keys: Path) -> list[str]:
    """The streams and buckets that were missing, each then kept by three servers."""
    server = ["--nats-url", f"nats://127.0.0.1:{client}", "--replicas", "3", "--json"]
    seed = ["--seed-file", str(keys / "provisioner.seed")]
    run = CliRunner().invoke(app, ["provision", *server, *seed])
    assert run.exit_code == 0, run.output
    made: list[str] = json.loads(run.stdout)["made"]
    return made


def _answer(url: str) -> int:
    """As the kubelet asks: it checks no certificate."""
    context = ssl._create_unverified_context()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:
                return int(answer.status)
        except (OSError, urllib.error.HTTPError) as error:
            if time.monotonic() > deadline:
                return getattr(error, "code", 0)
            time.sleep(0.05)
