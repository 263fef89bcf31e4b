"""A member declares the packages that its code imports, so that each room stands alone."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = [
    path.parent for wing in ("libs", "services") for path in ROOT.glob(f"{wing}/*/pyproject.toml")
]
# The packages that the users named; each is a direct dependency wherever it is imported.
NAMED_BY_USERS = {
    "grpcio", "protobuf", "nats-py", "fastapi", "prometheus-client", "opentelemetry-sdk",
    "ib-insync", "numpy", "numba", "pytest",
}  # fmt: skip


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_modules(source: Path) -> Iterator[str]:
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module


@cache
def installed() -> Mapping[str, list[str]]:
    """Top-level modules and the distributions that give them; slow to make."""
    return packages_distributions()


def packages_of(module: str) -> set[str]:
    """The distributions that may give `module`; a house module gives its member's."""
    parts = module.split(".")
    if parts[0] == "stratvector":
        service = len(parts) > 2 and parts[1] == "services"
        return {
            normalised(f"stratvector-service-{parts[2]}" if service else f"stratvector-{parts[1]}")
        }
    return {normalised(name) for name in installed().get(parts[0], [parts[0]])}


def declared(member: Path) -> tuple[str, set[str]]:
    project = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    needs = [*project.get("dependencies", []), *(need for extra in extras for need in extra)]
    names = {re.split(r"[\s\[<>=!~;]", need)[0] for need in needs}
    return normalised(project["name"]), {normalised(name) for name in names}


def undeclared_imports(member: Path) -> list[str]:
    own, needs = declared(member)
    return sorted(
        {
            module
            for module in imported_modules(member / "src")
            if module.split(".")[0] not in sys.stdlib_module_names
            and not packages_of(module) & (needs | {own})
        }
    )


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_a_member_declares_what_it_imports(member: Path) -> None:
    assert undeclared_imports(member) == []


def test_the_packages_that_users_named_are_declared_by_the_members_that_use_them() -> None:
    for member in MEMBERS:
        imported = set().union(*(packages_of(m) for m in imported_modules(member / "src")))
        assert imported & NAMED_BY_USERS <= declared(member)[1], member.name
    development = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    assert "pytest" in development


def test_a_planted_undeclared_import_is_found(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "stratvector-planted"\n'
        'dependencies = ["numpy>=2", "stratvector-trading"]\n'
    )
    (tmp_path / "src" / "planted.py").write_text(
        "import os, numpy.linalg\nimport stratvector.planted.other\nimport stratvector.trading\n"
        "from google.protobuf import message\nfrom stratvector.services.risk import wiring\n"
    )
    assert undeclared_imports(tmp_path) == ["google.protobuf", "stratvector.services.risk"]
