"""Every example runs from any folder, and prints what it promises to show."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

PRINTS = {
    "basic_backtest": [
        "total_return             0.7409",
        "final_equity         174,093.83",
        "the names are survivors",
    ],
    "own_strategy": [
        "BreakoutStrategy is causal",
        "BreakoutStrategy needs its last 41 closes and its state, no more",
        "ClairvoyantStrategy looks ahead: feature 0",
        "round trips 54",
    ],
    "paper_session": [
        "closes 128, orders 139, fills 138",
        "the backtest gives the same orders and fills: True",
        "the names are survivors",
    ],
}


@pytest.mark.parametrize("example", sorted(PRINTS))
def test_an_example_prints_what_it_shows(example: str, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / f"{example}.py")]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for sentence in PRINTS[example]:
        assert sentence in ran.stdout
    assert ran.stderr == ""


def test_no_example_goes_without_a_test() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PRINTS)
