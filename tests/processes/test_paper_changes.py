"""A symbol and a universe come to a paper run under flow, and go; `make chaos` kills meanwhile."""

from collections.abc import Callable
from pathlib import Path

from tests.sessions.paper_changes import run_changes

RATE = 60.0


def test_a_symbol_and_a_universe_come_and_go_and_every_chapter_is_equal(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    run_changes(tmp_path, RATE, say, minutes=7)
