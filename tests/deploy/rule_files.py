"""The rules of deploy/prometheus, as tests read them."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
UNIT_TESTS = sorted((FOLDER / "tests").glob("*.yml"))

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)?\{([^}]*)\}")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\()\b(?![\w:])")
WORDS = {"and", "or", "unless", "offset", "bool", "by", "on"}


@cache
def documents(*paths: Path) -> tuple[Any, ...]:
    """YAML files, parsed once."""
    return tuple(yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths)


def groups() -> Iterator[dict[str, Any]]:
    """Every group of rules."""
    for document in documents(*RULES):
        yield from document["groups"]


def rules() -> Iterator[dict[str, Any]]:
    """Every rule, in the order of its file."""
    for group in groups():
        yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    """The rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> set[str]:
    """The names that rules record."""
    return {rule["record"] for rule in rules() if "record" in rule}


def unit_tests() -> Iterator[dict[str, Any]]:
    """Every test of every file of unit tests."""
    for document in documents(*UNIT_TESTS):
        yield from document["tests"]


def names_in(expression: str) -> set[str]:
    """The series that an expression reads."""
    text = STRING.sub('""', expression)
    text = SELECTOR.sub(lambda found: found[1] or "", text)
    text = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", " ", GROUPING.sub(" ", text))
    return {name for name in NAME.findall(text) if name not in WORDS}


def labels_in(expression: str) -> Iterator[tuple[str, str]]:
    """Each series with a label that its selector asks for."""
    for name, matchers in SELECTOR.findall(expression):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", STRING.sub('""', matchers)):
            yield name, label
