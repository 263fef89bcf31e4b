"""What the documents name is there: files, links, make targets, commands and their options."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from stratvector.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    {
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("libs/**/README.md"),
        *ROOT.glob("services/*/README.md"),
    }
)
TOP = {path.name for path in ROOT.iterdir()}
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
PATH = re.compile(r"[\w.*{},-]+(?:/[\w.*{},-]*)+")
MADE = ("results/", "logs/", "mine/", ".venv/", "target/", "htmlcov/")
"""Folders that a run or the reader makes."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_link_target_and_command_in_the_documents_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [*_missing_paths(text), *_missing_links(page, text), *_wrong_commands(text)]
    assert missing == []


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("see `libs/trading/nowhere.py`", "libs/trading/nowhere.py"),
        ("see `libs/trading/.../nowhere.py`", "libs/trading/.../nowhere.py"),
        ("see [it](nowhere.md)", "nowhere.md"),
        ("see [it](README.md#no-such-heading)", "README.md#no-such-heading"),
        ("```\nmake nothing\n```", "make nothing"),
        ("```\n.venv/bin/stratvector nothing\n```", "stratvector nothing"),
        ("`stratvector backtest run --nothing 1`", "stratvector backtest run --nothing"),
        ("`make nothing`", "make nothing"),
    ],
)
def test_a_planted_name_that_leads_nowhere_is_found(planted: str, found: str) -> None:
    page = ROOT / "README.md"
    missing = [*_missing_paths(planted), *_missing_links(page, planted), *_wrong_commands(planted)]
    assert missing == [found]


def _missing_paths(text: str) -> Iterator[str]:
    """Inline code that names a file of the repository, `...` for folders in between."""
    for code in CODE.findall(FENCED.sub("", text)):
        if not PATH.fullmatch(code) or code.split("/")[0] not in TOP or code.startswith(MADE):
            continue
        pattern = code.replace("...", "**").rstrip("/")
        if not any(next(ROOT.glob(one), None) for one in _alternatives(pattern)):
            yield code


def _alternatives(pattern: str) -> list[str]:
    """a/{b,c} as a/b and a/c."""
    braces = re.search(r"\{([^}]*)\}", pattern)
    if braces is None:
        return [pattern]
    return [pattern.replace(braces.group(), one) for one in braces.group(1).split(",")]


def _missing_links(page: Path, text: str) -> Iterator[str]:
    for link in LINK.findall(FENCED.sub("", text)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            yield link


@cache
def _anchors(page: Path) -> set[str]:
    heads = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def _wrong_commands(text: str) -> Iterator[str]:
    """Commands of fenced blocks and of inline code that begin with make or stratvector."""
    lines = [line for block in FENCED.findall(text) for line in block.splitlines()]
    for line in (*lines, *CODE.findall(FENCED.sub("", text))):
        for command in re.split(r" · |; | && ", line):
            try:
                words = shlex.split(command, comments=True)
            except ValueError:
                continue
            name = Path(words[0]).name if words else ""
            if name == "make":
                yield from _wrong_targets(words[1:])
            elif name == "stratvector":
                yield from _wrong_words(words[1:])


def _wrong_targets(words: list[str]) -> Iterator[str]:
    for word in words:
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            break  # a variable, or prose after the command
        if word not in _targets() and not word.startswith("bench-"):
            yield f"make {word}"
            break


@cache
def _targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def _wrong_words(words: list[str]) -> Iterator[str]:
    """The first subcommand or option that the command line does not know."""
    command: Any = typer.main.get_command(app)
    said = "stratvector"
    for word in words:
        subcommands = getattr(command, "commands", {})
        if subcommands and not word.startswith("-"):
            names = word.split("|")  # status|orders|fills
            said = f"{said} {word}"
            if any(name not in subcommands for name in names):
                yield said
                return
            command = subcommands[names[0]]
        elif word.startswith("--") and word.split("=")[0] not in _options(command):
            yield f"{said} {word.split('=')[0]}"
            return


def _options(command: Any) -> set[str]:
    known = {"--help"}
    for parameter in command.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    return known
