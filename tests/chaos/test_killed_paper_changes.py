"""A paper run that changes under flow, with market_data killed after each change."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sessions.paper_changes import run_changes

RATE = 60.0


@pytest.mark.long
def test_changes_with_a_kill_after_each_are_equal_chapter_by_chapter(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    run_changes(tmp_path, RATE, say, minutes=60, kills=True)
