"""Each service on a file system of its own, with nothing but NATS between them.

Every process has a mount namespace in which the run's folder holds its own settings and its own key
and nothing else; market_data finds its store there, the ledger makes its database there.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stratvector.cli.platform import local
from stratvector.cli.platform.commands import command_of
from stratvector.trading.flow import SERVICES
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.process_flow import run_processes

NAMESPACE = ("unshare", "--mount", "--propagation", "private")


def may_have_namespaces() -> bool:
    """Whether this user of this machine may."""
    try:
        return (
            subprocess.run((*NAMESPACE, "true"), check=False, capture_output=True).returncode == 0
        )
    except OSError:
        return False


pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not may_have_namespaces(),
    reason="a mount namespace needs Linux and its administrator",
)


class Walls:
    """Gives each process a folder of its own in the place of the run's."""

    def __init__(self, folder: Path, own: Path) -> None:
        self.folder, self.own = folder, own

    def command(self, service: str, settings: Path) -> list[str]:
        """The service's command, inside."""
        place = self.own / settings.stem
        (place / "settings").mkdir(parents=True)
        (place / "keys").mkdir()
        shutil.copy(settings, place / "settings")
        shutil.copy(self.folder / "keys" / f"{service}.seed", place / "keys")
        if service == "market_data":
            shutil.copytree(self.folder / "store", place / "store")
        script = f"mount --bind '{place}' '{self.folder}' && exec \"$@\""
        return [*NAMESPACE, "sh", "-c", script, "sh", *command_of(service, settings)]

    def kept_of(self, process: str) -> set[str]:
        """What a process has in its folder beside settings and key."""
        return {path.name for path in (self.own / process).iterdir()} - {"settings", "keys"}


def test_services_that_share_no_disk_give_the_same_session_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls = Walls(tmp_path / "session", tmp_path / "own")
    monkeypatch.setattr(local, "command_of", walls.command)
    session = generated_session(6, Shape(2, 2, 2, closes=120, warmup=3))
    flow = run_processes(tmp_path, session, replicas={"risk": 2})
    assert_equal_to_backtest(session, flow)
    kept = {one: walls.kept_of(one) for one in (*SERVICES, "risk-2")}
    assert kept.pop("market_data") == {"store"}
    assert kept.pop("ledger") >= {"ledger.db"}
    assert set().union(*kept.values()) == set()
    assert not (tmp_path / "session" / "ledger.db").exists()
