"""Services are found by their entry points; a missing one is named with the command that helps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stratvector.runtime.deployment import GROUP, Deployment, ServiceMissing, installed_services
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.trading.flow import SERVICES
from tests.sessions.scripted_sessions import one_symbol


def install(folder: Path, *services: str) -> None:
    """A distribution that registers builders under the group, as an installed service does."""
    information = folder / "planted-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    lines = [f"[{GROUP}]", *(f"{service} = builtins:{service}" for service in services)]
    (information / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path with no installed distribution but those of the test."""
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    return tmp_path


def test_every_service_of_the_flow_is_installed_in_the_flows_order() -> None:
    services = installed_services()
    assert tuple(services) == SERVICES
    for name, build in services.items():
        assert build.__module__ == f"stratvector.services.{name}.wiring"


def test_without_services_the_first_of_the_flow_is_named(alone: Path) -> None:
    with pytest.raises(ServiceMissing) as missing:
        installed_services()
    assert missing.value.service == SERVICES[0]
    assert str(missing.value) == (
        "service market_data is not installed; `make setup` installs every service"
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_missing_service_gives_its_sentence(alone: Path, service: str) -> None:
    install(alone, *(other for other in SERVICES if other != service))
    with pytest.raises(ServiceMissing, match=f"service {service} is not installed; `make setup`"):
        installed_services()


def test_a_deployment_is_on_the_simulated_broker_unless_told_otherwise() -> None:
    session = one_symbol([1.0], [0.0])
    assert Deployment(session, MemoryLedgerStore()).broker is None


@pytest.mark.parametrize(
    "service", ["market_data", "execution", "ledger", "drift", "research", "gateway"]
)
def test_a_service_that_computes_little_loads_no_compiler(service: str) -> None:
    # As `python -m` does it, except that nothing is run.
    code = f"import sys, stratvector.services.{service}.__main__; print('numba' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if "NUMBA" not in name}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"
