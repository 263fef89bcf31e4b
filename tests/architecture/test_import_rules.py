"""The import rules of the house hold, and the rules catch a wall that is moved."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


# -S leaves the installed members out, so that the paths alone make the house.
LINTER = [sys.executable, "-S", "-c", "from importlinter.cli import *; lint_imports_command()"]


def lint_imports(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter under the root's contracts over the members below `paths`."""
    packages = sysconfig.get_path("purelib")
    return subprocess.run(
        [*LINTER, "--no-cache", "--no-logo"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, paths), packages])},
        capture_output=True,
        text=True,
        check=False,
    )


def plant(root: Path, modules: dict[str, str]) -> Path:
    for name, code in {"trading": "", "market": "", "config": "", **modules}.items():
        package = root / "stratvector" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code)
    return root


def test_every_import_keeps_the_rules() -> None:
    run = lint_imports(*ROOT.glob("*/*/src"))
    assert run.returncode == 0, run.stdout


def test_a_house_without_a_forbidden_import_keeps_the_rules(tmp_path: Path) -> None:
    run = lint_imports(plant(tmp_path, {"market": "import socket, stratvector.trading\n"}))
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("modules", "broken"),
    [
        ({"trading": "import socket\n"}, "Trading does no I/O"),
        ({"trading": "import time\n"}, "Trading does no I/O"),
        ({"trading": "from google.protobuf import message\n"}, "Trading does no I/O"),
        ({"trading": "import stratvector.market\n"}, "Services stand on libs"),
        (
            {"services/planted": "", "market": "import stratvector.services.planted\n"},
            "Services stand on libs",
        ),
        (
            {"drift": "", "market": "import stratvector.drift\n"},
            "Services stand on libs",
        ),
        ({"cli": "", "config": "import stratvector.cli\n"}, "Services stand on libs"),
        ({"config": "import rich\n"}, "Configuration knows no terminal"),
        ({"config": "import stratvector.market\n", "market": "import nats\n"}, "Configuration"),
        (
            {"services/planted": "", "services/other": "import stratvector.services.planted\n"},
            "No service imports another service",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_planted_forbidden_import_is_found(
    tmp_path: Path, modules: dict[str, str], broken: str
) -> None:
    run = lint_imports(plant(tmp_path, modules))
    assert run.returncode == 1, run.stdout + run.stderr
    verdicts = [line for line in run.stdout.splitlines() if line.startswith(broken)]
    assert any("BROKEN" in line for line in verdicts), run.stdout
