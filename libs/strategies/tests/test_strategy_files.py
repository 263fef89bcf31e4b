"""A strategy of one's own by file or module: what is found, and what is said where nothing is."""

import sys
from pathlib import Path

import pytest

from stratvector.strategies import MomentumStrategy, create_named, find_strategy
from stratvector.strategies.bad_file import (
    BrokenFile,
    NoStrategy,
    NoSuchFile,
    NoSuchModule,
    NotAStrategy,
    SameName,
    SeveralStrategies,
    StrategyNotFound,
    UnknownName,
)
from stratvector.strategies.bad_strategy import NotRegistrable, UnknownModel, UnknownParameter
from stratvector.strategies.strategy_files import BYTES_MAX, file_of, read_strategy_file
from stratvector.strategies.trial_bars import trial_bars
from stratvector.trading.strategy import scan

ONE = '''
import numpy as np
from stratvector.strategies import strategy

@strategy(history="window")
def above_average(bars, window=20):
    """Long above the average."""
    return (bars.close > bars.indicators.sma(window)) / len(bars.symbols)
'''
SECOND = ONE.split("\n\n", 1)[1].replace("above_average", "below_average")


def put(folder: Path, text: str, name: str = "own.py") -> Path:
    (folder / name).write_text(text)
    return folder


def test_a_file_with_one_strategy_needs_no_name(tmp_path: Path) -> None:
    put(tmp_path, ONE)
    kind = find_strategy("own.py", tmp_path)
    assert kind is find_strategy("own.py:above_average", tmp_path)
    assert kind is find_strategy(str(tmp_path / "own.py"))
    made = create_named("own.py", {"window": 5}, 1, tmp_path)
    assert made.history == 5
    assert scan(made, trial_bars(30)).weights.shape == (30, 3)


def test_a_strategy_that_a_file_imports_is_not_its_own(tmp_path: Path) -> None:
    put(tmp_path, "from stratvector.strategies import MomentumStrategy\n" + ONE)
    assert find_strategy("own.py", tmp_path).__name__ == "above_average"


def test_a_changed_file_is_another_class_beside_the_one_before(tmp_path: Path) -> None:
    before = find_strategy("own.py", put(tmp_path, ONE))
    after = find_strategy("own.py", put(tmp_path, ONE.replace(">", "<")))
    bars = trial_bars(60, gaps=0.0)
    weights = [scan(kind(), bars).weights for kind in (before, after)]
    assert before is not after
    assert (weights[0] != weights[1]).any()
    hashes = [file.hash for kind in (before, after) if (file := file_of(kind)) is not None]
    assert len(set(hashes)) == 2


def test_the_same_text_gives_the_same_class_wherever_it_lies(tmp_path: Path) -> None:
    put(tmp_path, ONE)
    (tmp_path / "elsewhere").mkdir()
    put(tmp_path / "elsewhere", ONE)
    assert find_strategy("own.py", tmp_path) is find_strategy("elsewhere/own.py", tmp_path)


def test_a_module_or_a_registered_id_names_a_strategy_too() -> None:
    for reference in ("stratvector.strategies:MomentumStrategy", "MomentumStrategy"):
        assert find_strategy(reference) is MomentumStrategy


@pytest.mark.parametrize(
    ("text", "reference", "error", "sentence"),
    [
        (None, "none.py", NoSuchFile, "none.py: there is no such file"),
        (None, ".", UnknownModel, "there is no model '.'; registered are "),
        ("x = 1\n", "own.py", NoStrategy, "own.py: it defines no strategy: "),
        (ONE + SECOND, "own.py", SeveralStrategies, "it defines 2 strategies (above_average, "),
        (ONE, "own.py:above_avrage", UnknownName, "did you mean above_average?"),
        (ONE, "own.py:np", NotAStrategy, "own.py: np is a module, not a strategy"),
        (ONE + "def f(bars): pass\n", "own.py:f", NotAStrategy, "put @strategy(history=N) above"),
        (ONE + ONE, "own.py", SameName, "two strategies are called above_average, in lines 6 and"),
        ("\nbars = nump.ones(3)\n", "own.py", BrokenFile, "own.py: line 2 `bars = nump.ones(3)`: "),
        ("def f(:\n", "own.py", BrokenFile, "own.py: line 1 `def f(:`: SyntaxError: "),
        ("import neighbour\n", "own.py", BrokenFile, "No module named 'neighbour'"),
        ("raise SystemExit\n", "own.py", BrokenFile, "own.py: line 1 `raise SystemExit`: "),
        (None, "no.such:Thing", NoSuchModule, "no.such: the module can't be imported: "),
        (None, "stratvector.strategies:Momentumstrat", UnknownName, "did you mean Momentum"),
        (None, "stratvector.strategies:MODELS", NotAStrategy, "MODELS is a mappingproxy, not a"),
        ("#" * (BYTES_MAX + 1), "own.py", NoSuchFile, "it has 65,537 bytes; a strategy file has"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    text: str | None,
    reference: str,
    error: type[ValueError],
    sentence: str,
    tmp_path: Path,
) -> None:
    if text is not None:
        put(tmp_path, text)
    with pytest.raises(error) as raised:
        find_strategy(reference, tmp_path)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_broke_leaves_no_module_behind(tmp_path: Path) -> None:
    put(tmp_path, "x = 1\ny = x / 0\n")
    before = set(sys.modules)
    with pytest.raises(StrategyNotFound, match=r"line 2 `y = x / 0`: ZeroDivisionError"):
        find_strategy("own.py", tmp_path)
    assert set(sys.modules) == before


def test_a_folder_and_another_encoding_are_told(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    for name, sentence in (("folder.py", "it is a folder"), ("latin.py", "it is not UTF-8 text")):
        with pytest.raises(NoSuchFile, match=sentence):
            read_strategy_file(tmp_path / name)


def test_a_class_that_is_no_dataclass_is_told_so(tmp_path: Path) -> None:
    put(tmp_path, INCOMPLETE)
    with pytest.raises(NotRegistrable, match=r"must be a @dataclass\(frozen=True\) itself"):
        find_strategy("own.py", tmp_path)


def test_an_unknown_parameter_names_those_that_there_are(tmp_path: Path) -> None:
    put(tmp_path, ONE)
    with pytest.raises(UnknownParameter, match="above_average has no parameter 'windw'; it has w"):
        create_named("own.py", {"windw": 3}, 1, tmp_path)


INCOMPLETE = """
from stratvector.strategies import Strategy

class Own(Strategy):
    name = "Own"

    @property
    def history(self):
        return 1

    def features(self, bars):
        return bars.close[:, :, None]
"""
