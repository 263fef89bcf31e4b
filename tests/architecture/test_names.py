"""A helper lives with the noun that it serves: the house has no attic."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "libs", "services", "tests", "benchmarks", "examples", "tools", "proto", "config", "grafana",
    "deploy",
)  # fmt: skip
NOT_OURS = {"target", "__pycache__", "build", "dist"}
ATTIC = {"util", "utils", "helper", "helpers", "common", "misc"}


def attics(root: Path) -> list[str]:
    """Files and folders below `root` of which a word is an attic's."""
    return [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*"))
        if not NOT_OURS.intersection(path.relative_to(root).parts)
        and ATTIC.intersection(path.stem.lower().replace("-", "_").split("_"))
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_has_an_attic(room: str) -> None:
    assert attics(ROOT / room) == []


@pytest.mark.parametrize("name", ["utils.py", "common/", "order_helpers.py", "misc.rs", "Util.py"])
def test_a_planted_attic_is_found(tmp_path: Path, name: str) -> None:
    planted = tmp_path / "src" / name
    planted.parent.mkdir()
    if name.endswith("/"):
        planted.mkdir()
    else:
        planted.touch()
    assert attics(tmp_path) == [f"src/{name.rstrip('/')}"]


def test_a_word_that_only_contains_an_attic_is_no_attic(tmp_path: Path) -> None:
    (tmp_path / "utilisation.py").touch()
    assert attics(tmp_path) == []
