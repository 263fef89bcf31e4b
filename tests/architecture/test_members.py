"""Every lib and service is a whole room: its own needs, its own tests, a page that explains it."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
README_LINES_MAX = 80


def rooms(root: Path) -> Iterator[Path]:
    """Every folder of libs and services that holds a file."""
    for wing in ("libs", "services"):
        for room in sorted((root / wing).glob("*/")):
            if any(path.is_file() and "__pycache__" not in path.parts for path in room.rglob("*")):
                yield room


def settings(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def missing_parts(room: Path) -> list[str]:
    """What a room lacks: a project file, a page, a test."""
    missing = []
    crates = [path.parent for depth in ("", "*/") for path in room.glob(f"{depth}Cargo.toml")]
    if crates:
        sources = [path for crate in crates for path in crate.glob("src/*.rs")]
        if "#[cfg(test)]" not in "".join(path.read_text() for path in sources):
            missing.append("tests")
    else:
        if not (room / "pyproject.toml").is_file():
            missing.append("pyproject.toml")
        if not any((room / "tests").rglob("test_*.py")):
            missing.append("tests")
    readme = room / "README.md"
    if not readme.is_file():
        missing.append("README.md")
    elif len(readme.read_text().splitlines()) > README_LINES_MAX:
        missing.append(f"README.md of at most {README_LINES_MAX} lines")
    return missing


def namespace_markers(root: Path) -> list[str]:
    """`__init__.py` files that would close the namespace or make test folders packages."""
    patterns = (
        "*/*/src/__init__.py",
        "*/*/src/stratvector/__init__.py",
        "*/*/src/stratvector/services/__init__.py",
        "*/*/tests/**/__init__.py",
        "tests/**/__init__.py",
    )
    return sorted(str(path.relative_to(root)) for p in patterns for path in root.glob(p))


def shared_test_names(root: Path) -> list[str]:
    tests = [path.name for wing in ("libs", "services", "tests") for path in wing_tests(root, wing)]
    return sorted(name for name, times in Counter(tests).items() if times > 1)


def wing_tests(root: Path, wing: str) -> Iterator[Path]:
    return (root / wing).rglob("test_*.py")


@pytest.mark.parametrize("room", list(rooms(ROOT)), ids=lambda room: room.name)
def test_every_room_is_whole(room: Path) -> None:
    assert missing_parts(room) == []


@pytest.mark.parametrize(
    "room", [r for r in rooms(ROOT) if (r / "pyproject.toml").exists()], ids=lambda room: room.name
)
def test_every_python_member_is_known_to_mypy_and_to_uv(room: Path) -> None:
    tool = settings(ROOT)["tool"]
    name = settings(room)["project"]["name"]
    prefix = "stratvector-service-" if room.parent.name == "services" else "stratvector-"
    assert name == prefix + room.name.replace("_", "-")
    assert f"{room.relative_to(ROOT)}/src" in tool["mypy"]["mypy_path"]
    assert name in tool["uv"]["sources"]


def test_the_namespace_stays_open_and_test_folders_are_no_packages() -> None:
    assert namespace_markers(ROOT) == []


def test_no_two_test_files_share_a_name() -> None:
    assert shared_test_names(ROOT) == []


def test_what_a_planted_room_lacks_is_named(tmp_path: Path) -> None:
    room = tmp_path / "libs" / "bare"
    room.mkdir(parents=True)
    assert list(rooms(tmp_path)) == []
    (room / "README.md").write_text("line\n" * (README_LINES_MAX + 1))
    assert list(rooms(tmp_path)) == [room]
    assert missing_parts(room) == [
        "pyproject.toml",
        "tests",
        "README.md of at most 80 lines",
    ]


@pytest.mark.parametrize("crate", [".", "core"])
def test_a_planted_rust_room_without_tests_is_named(tmp_path: Path, crate: str) -> None:
    (tmp_path / crate / "src").mkdir(parents=True)
    (tmp_path / crate / "Cargo.toml").touch()
    (tmp_path / crate / "src" / "lib.rs").touch()
    assert missing_parts(tmp_path) == ["tests", "README.md"]


def test_a_planted_namespace_marker_is_found(tmp_path: Path) -> None:
    for folder in ("libs/a/src/stratvector", "services/b/src/stratvector/services", "libs/a/tests"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "__init__.py").touch()
    assert len(namespace_markers(tmp_path)) == 3


def test_a_planted_pair_of_equal_test_names_is_found(tmp_path: Path) -> None:
    for folder in ("libs/a/tests", "tests/flow"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "test_twice.py").touch()
    assert shared_test_names(tmp_path) == ["test_twice.py"]
