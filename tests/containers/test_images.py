"""Each image: how large it is, whose it is, and that it runs as its pod will run it."""

import io
import json
import re
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.containers.engine import LOCKED, PYTHON_BASE, docker, image, inspected, until

MEGABYTE = 1_000_000
COMPILING = ("strategy", "risk", "research")
# Megabytes beyond the base image; of Monte Carlo's, which has none, in all.
LARGEST = {
    "market_data": 560, "strategy": 380, "risk": 380, "execution": 150, "ledger": 150,
    "drift": 150, "research": 560, "gateway": 150, "monte_carlo": 50,
}  # fmt: skip
NEEDED = {
    "ledger": ("STRATVECTOR_LEDGER_DATABASE_URL=sqlite:////tmp/ledger.db",),
    "gateway": ("STRATVECTOR_GATEWAY_AUTH=local", "STRATVECTOR_GATEWAY_HOST=127.0.0.1"),
    "research": ("STRATVECTOR_RESEARCH_RESULTS_FOLDER=/tmp",),
    "market_data": ("STRATVECTOR_MARKET_DATA_STORE=/tmp",),
}


@contextmanager
def started(service: str, *more: str) -> Iterator[str]:
    """A container of the service, locked as its pod is."""
    name = f"stratvector-test-{service}-{uuid.uuid4().hex[:8]}"
    variables = [f"--env={one}" for one in NEEDED.get(service, ())]
    docker("run", "--detach", "--name", name, *LOCKED, *variables, *more, image(service))
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def test_it_is_no_larger_than_it_needs_to_be(service: str) -> None:
    size = inspected("image", image(service))["Size"]
    if service != "monte_carlo":
        size -= inspected("image", PYTHON_BASE)["Size"]
    assert size <= LARGEST[service] * MEGABYTE


def test_it_names_its_user_its_health_its_version_and_what_is_inside(service: str) -> None:
    told = inspected("image", image(service))["Config"]
    assert told["User"] == "10001:10001"
    assert told["Healthcheck"]["Test"]
    assert told["Labels"]["org.opencontainers.image.title"] == f"stratvector-{service}"
    assert re.fullmatch(r"[0-9a-f]{40}", told["Labels"]["org.opencontainers.image.revision"])
    assert "Volumes" not in told or not told["Volumes"]
    assert not [one for one in told["Env"] if re.search("(?i)password|token|secret", one)]


def test_what_is_inside_is_listed(service: str) -> None:
    path = "/etc" if service == "monte_carlo" else "/opt/stratvector/etc"
    name = docker("create", image(service)).strip()
    try:
        listed = json.loads(_file_of(name, f"{path}/packages.json"))
    finally:
        docker("rm", name)
    assert listed["bomFormat"] == "CycloneDX"
    names = {one["name"] for one in listed["components"]}
    kinds = {one["purl"].partition("/")[0] for one in listed["components"]}
    assert kinds == {"pkg:cargo" if service == "monte_carlo" else "pkg:pypi", "pkg:deb"}
    assert "libc6" in names
    own = "stratvector-" + ("monte-carlo" if service == "monte_carlo" else "runtime")
    assert own in names
    if service in ("market_data", "execution", "ledger", "drift", "gateway"):
        assert "numba" not in names


def _file_of(container: str, path: str) -> str:
    """A file of a container that may have neither a shell nor `cat`."""
    packed = subprocess.run(["docker", "cp", f"{container}:{path}", "-"], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        (member,) = archive.getmembers()
        found = archive.extractfile(member)
        assert found is not None
        return found.read().decode()


def test_it_runs_locked_and_is_healthy(service: str) -> None:
    """It waits for a bus that is not there, and says so: to wait is no illness."""
    with started(service) as name:
        until(lambda: _is_healthy(name), f"health of {service}: {docker('logs', name)}")
        assert inspected("container", name)["State"]["Running"]
        (_, *processes) = docker("top", name, "-o", "pid,uid").splitlines()
        assert {line.split()[1] for line in processes} == {"10001"}


def _is_healthy(name: str) -> bool:
    state = inspected("container", name)["State"]
    assert state["Running"], docker("logs", name)
    return bool(state["Health"]["Status"] == "healthy")


def test_it_compiles_nothing_once_it_runs(service: str) -> None:
    """Whoever computes finds every kernel in the cache that the image brings."""
    if service not in COMPILING:
        return
    warm = "start() { /opt/stratvector/bin/start --help; }; start >/dev/null; "
    said = docker(
        "run", "--rm", *LOCKED, "--env=NUMBA_DEBUG_CACHE=1", "--entrypoint=sh", image(service),
        "-c", warm + "exec python -P -m stratvector.trading.warm live",
    )  # fmt: skip
    assert "data loaded from" in said
    assert "data saved to" not in said
    assert "index saved to" not in said
