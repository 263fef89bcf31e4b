"""Every example runs from any folder, and prints what it promises to show; so do the documents'
Python blocks.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

PRINTS = {
    "basic_backtest": [
        "100,000.00 to 174,093.83, total return 74.09%",
        "the names are survivors",
    ],
    "own_strategy": [
        "BreakoutStrategy is causal",
        "BreakoutStrategy needs its last 41 closes and its state, no more",
        "ClairvoyantStrategy looks ahead: feature 0",
        "round trips 54",
    ],
    "ten_line_strategies": [
        "above_average is causal",
        "above_average: return 218.85%, trades 167",
        "Breakout: return 210.99%, trades 52",
    ],
    "paper_session": [
        "closes 128, orders 92, fills 92",
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


def test_no_example_of_a_strategy_imports_a_rooms_inner_file() -> None:
    inner = re.compile(r"^(?:from|import) stratvector\.\w+\.\w", re.MULTILINE)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.py")}
    # A paper session is the services at work: it shows what stands behind the rooms' doors.
    assert {name for name, text in texts.items() if inner.search(text)} == {"paper_session"}


def test_every_block_of_the_page_on_strategies_runs_as_it_is() -> None:
    text = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    blocks = PYTHON.findall(text)
    assert len(blocks) == text.count("```") // 2
    # One process, one namespace: a block may go on from what stands above it.
    ran = subprocess.run(
        [sys.executable, "-c", "\n\n".join(blocks)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "trend is causal" in ran.stdout


def test_the_readmes_python_runs_as_it_is() -> None:
    (block,) = PYTHON.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    ran = subprocess.run(
        [sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


def test_the_quickstarts_strategy_runs_as_it_is(tmp_path: Path) -> None:
    blocks = PYTHON.findall((ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8"))
    for name in ("above_average", "try_it"):
        (block,) = (
            b
            for b in blocks
            if ("class AboveAverage" in b) == (name == "above_average") and "AboveAverage" in b
        )
        (tmp_path / f"{name}.py").write_text(block, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "try_it.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "AboveAverage is causal" in ran.stdout
