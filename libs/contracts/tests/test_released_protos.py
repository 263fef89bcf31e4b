"""`make lint` holds the protos against the released ones; here it is shown what it would refuse."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUF = Path(sys.executable).with_name("buf")
RELEASED = ROOT / "proto" / "released.binpb"


def against_released(folder: Path) -> subprocess.CompletedProcess[str]:
    """What buf says of protos in a folder."""
    command = [str(BUF), "breaking", "--against", str(RELEASED)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The protos, to be changed."""
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "before", "after", "why"),
    [
        ("bars", "= 1;", "= 901;", "was deleted"),
        ("orders", "  sint64 ", "  string ", "changed type"),
        ("risk_service", "rpc ", "rpc Other", "was deleted"),
    ],
)
def test_a_change_that_an_older_reader_would_misread_is_refused(
    copied: Path, file: str, before: str, after: str, why: str
) -> None:
    path = copied / "proto" / "stratvector" / "contracts" / "v1" / f"{file}.proto"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))
    said = against_released(copied)
    assert said.returncode == 100, said.stderr  # buf's code for what it found
    assert why in said.stdout


def test_what_is_added_breaks_nobody(copied: Path) -> None:
    path = copied / "proto" / "stratvector" / "contracts" / "v1" / "bars.proto"
    path.write_text(
        path.read_text() + "\n// New.\nmessage Added {\n  // A field.\n  int64 n = 1;\n}\n"
    )
    said = against_released(copied)
    assert said.returncode == 0, said.stdout + said.stderr
