"""What the platform starts imports nothing of the folder where its user stands, and what it writes
is for its user and group alone.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stratvector.backtest.result_files import _drafted
from stratvector.cli.platform.commands import command_of
from stratvector.trading.flow import HOUSE

PLANTED = "raise SystemExit('the working folder was imported from')"
PYTHON_SERVICES = [service for service in HOUSE if service != "monte_carlo"]


@pytest.mark.parametrize("service", PYTHON_SERVICES)
def test_a_services_command_never_looks_into_the_working_folder(service: str) -> None:
    command = command_of(service, Path("settings.yaml"))
    assert command[:4] == [sys.executable, "-P", "-m", f"stratvector.services.{service}"]


def test_a_planted_numpy_is_not_imported_by_a_service(tmp_path: Path) -> None:
    for name in ("numpy", "yaml", "json", "asyncio", "stratvector"):
        (tmp_path / f"{name}.py").write_text(PLANTED)
    command = command_of("execution", tmp_path / "none.yaml")
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2  # the settings file is not there, which is its own sentence
    assert "imported from" not in done.stdout + done.stderr
    assert "none.yaml" in done.stderr


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    code = (
        "import os, pathlib\n"
        "from stratvector.runtime.process.file_modes import keep_files_private\n"
        "os.umask(0)\n"
        "keep_files_private()\n"
        "pathlib.Path('folder').mkdir()\n"
        "pathlib.Path('folder/ledger.db').write_text('')\n"
        "os.umask(0o077)\n"
        "keep_files_private()\n"
        "pathlib.Path('tighter').write_text('')\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, timeout=120)
    modes = {
        name: (tmp_path / name).stat().st_mode & 0o777
        for name in ("folder", "folder/ledger.db", "tighter")
    }
    assert modes == {"folder": 0o750, "folder/ledger.db": 0o640, "tighter": 0o600}


def test_a_results_folder_is_for_its_user_and_group(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with _drafted(tmp_path) as draft:
            assert draft.stat().st_mode & 0o777 == 0o750
    finally:
        os.umask(before)
