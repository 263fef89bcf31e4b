"""Which part of docker-compose.yml a server runs by its role: real Compose, without an engine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "openstack"
COMPOSE = ROOT / "build" / "heat-27.0.1" / "bin" / "docker-compose"
WATCHING = {"grafana", "prometheus", "alertmanager", "alert-webhook"}
# Answers what Compose knows without an engine, and writes down what an engine would be asked.
DOCKER = f"""#!/usr/bin/env bash
if [[ $1 == compose && " $* " == *" config "* ]]; then
    shift
    exec {COMPOSE} "$@"
fi
echo "docker $*" >>"$ASKED"
"""
SSH = """#!/usr/bin/env bash
echo "ssh $*" >>"$ASKED"
tar --create --directory "$BUNDLE" .
"""
NEEDED = pytest.mark.skipif(
    not (COMPOSE.exists() and (ROOT / "docker-compose.yml").exists()),
    reason="docker-compose.yml or Compose is not there; `make heat-test` installs Compose",
)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A folder with an unpacked config.tar.gz, and programs that write down how they are called."""
    release = tmp_path / "release"
    (release / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "docker-compose.yml", release)
    shutil.copytree(FOLDER, release / "deploy" / "openstack")
    (release / "deploy" / "openstack" / "prometheus.agent.yml").write_text("server: SERVER_NAME\n")
    (tmp_path / "bin").mkdir()
    for name, text in {"docker": DOCKER, "iptables": "#!/bin/sh\n", "ssh": SSH}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "app_told.json").write_text('{"app": "ssh-ed25519 BBBB"}')
    return tmp_path


def run(server: Path, role: str, **metadata: str) -> list[str]:
    """What `serve.sh start` asks the engine, without the files that every call names."""
    told = {
        "app_address": "10.90.0.5",
        "app_public_address": "198.51.100.5",
        "monitoring_address": "10.90.0.6",
        "image_registry": "registry.example.org",
    }
    own = {
        "PATH": f"{server / 'bin'}:{os.environ['PATH']}",
        "ROLE": role,
        "HOSTNAME": "server-1",
        "GRAFANA_PASSWORD": "sesame",
        "STRATVECTOR_STATE": str(server),
        "STRATVECTOR_FACTS": str(server),
        "ASKED": str(server / "asked"),
        "BUNDLE": str(server / "bundle"),
    }
    script = server / "release" / "deploy" / "openstack" / "serve.sh"
    done = subprocess.run(
        [script, "start"], env=told | own | metadata, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return (server / "asked").read_text().splitlines()


def brought_up(asked: list[str]) -> list[str]:
    """The words after `up` and its options."""
    (up,) = (line.split(" up ")[1] for line in asked if " up " in line)
    return up.removeprefix("--detach --no-build --wait --wait-timeout 900 ").split()


def known() -> set[str]:
    named = subprocess.run(
        [COMPOSE, "--file", ROOT / "docker-compose.yml", "config", "--services"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return set(named.stdout.split())


@NEEDED
def test_the_server_that_trades_runs_all_but_what_watches_in_the_wanted_counts(
    server: Path,
) -> None:
    asked = run(server, "app", counts="strategy=3 risk=2")
    words = brought_up(asked)
    assert words[:4] == ["--scale", "strategy=3", "--scale", "risk=2"]
    assert set(words[4:]) == known() - WATCHING - {"apply"} | {"prometheus"}
    assert asked[-1].endswith("run --rm --no-deps apply")


@NEEDED
def test_images_of_ours_come_from_the_registry_under_their_own_names(server: Path) -> None:
    asked = run(server, "app")
    pulled = "docker pull --quiet registry.example.org/stratvector/risk:0.1.0"
    assert pulled in asked
    tagged = "docker tag registry.example.org/stratvector/risk:0.1.0 stratvector/risk:0.1.0"
    assert asked.index(tagged) == asked.index(pulled) + 1
    assert [line for line in asked if "pull" in line and "nats:" in line]
    assert not [line for line in asked if "grafana" in line]


@NEEDED
def test_images_that_are_on_the_server_are_not_pulled(server: Path) -> None:
    assert not [line for line in run(server, "app", image_registry="") if "stratvector/" in line]


@NEEDED
def test_the_server_that_watches_runs_nothing_else(server: Path) -> None:
    words = brought_up(run(server, "monitoring"))
    assert (words[0], set(words[1:])) == ("--no-deps", WATCHING)


@NEEDED
@pytest.mark.skipif(os.geteuid() != 0, reason="a file can't be given to another user, but by root")
def test_a_worker_takes_its_seed_from_the_server_that_it_knows(server: Path) -> None:
    seed = server / "bundle" / "keys" / "monte_carlo.seed"
    seed.parent.mkdir(parents=True)
    seed.write_text("SUA\n")
    asked = run(server, "worker")
    assert brought_up(asked) == ["--no-deps", "monte_carlo", "prometheus"]
    assert (server / "worker" / "keys" / "monte_carlo.seed").read_text() == "SUA\n"
    assert (server / "worker" / "keys").stat().st_uid == 10001
    assert (server / "known_hosts").read_text() == "10.90.0.5 ssh-ed25519 BBBB\n"
    (ssh,) = (line for line in asked if line.startswith("ssh"))
    assert "StrictHostKeyChecking=yes" in ssh
    assert ssh.endswith("stratvector-worker@10.90.0.5")


@NEEDED
def test_what_a_server_sends_bears_its_name(server: Path) -> None:
    run(server, "app")
    sent = server / "release" / "deploy" / "openstack" / "prometheus.agent.yml"
    assert sent.read_text() == "server: server-1\n"
