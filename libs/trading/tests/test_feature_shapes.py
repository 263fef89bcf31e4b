"""Every run refuses features, memory and decide that are not what the contract says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from stratvector.trading.bad_strategy import BadFeatures, BadPart
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.live_model import LiveModel
from stratvector.trading.strategy import Decide, Strategy, scan
from tests.sessions.scripted_sessions import HOUR

Floats = NDArray[np.float64]
CLOSES, HISTORY = 6, 3


def panel(symbols: int) -> Bars:
    close = np.arange(1.0, 1.0 + CLOSES * symbols).reshape(CLOSES, symbols)
    times = np.arange(1, CLOSES + 1, dtype=np.int64) * HOUR
    return Bars(tuple("ABC"[:symbols]), times, close, close, close, close, close)


@dataclass(frozen=True)
class Giving(Strategy):
    """Features of whatever form."""

    give: Callable[[Floats], Any] = lambda rows: rows

    name: ClassVar[str] = "Giving"

    @property
    def history(self) -> int:
        """Three closes."""
        return HISTORY

    def parameters(self) -> Floats:
        """None."""
        return np.zeros(0)

    def features(self, bars: Bars) -> Any:
        """The close / 100, in the form that is asked for."""
        return self.give(bars.close[:, :, np.newaxis] / 100.0)


@dataclass(frozen=True)
class Windowed(Giving):
    """The same, once per window."""

    windowed: ClassVar[bool] = True


def live(strategy: Strategy, bars: Bars) -> list[list[float]]:
    """The weights of a live model, close by close."""
    model = LiveModel(strategy, bars.symbols)
    weights = []
    for row in range(len(bars)):
        model.observe(bars.closed(row, "u", "1H"))
        rows = model.rows()
        model.remember(rows)
        weights.append([r.weight for r in rows])
    return weights


def scanned(strategy: Strategy, bars: Bars) -> list[list[float]]:
    """The weights of a backtest."""
    weights: list[list[float]] = scan(strategy, bars).weights.tolist()
    return weights


WRONG: dict[str, tuple[Callable[[Floats], Any], str]] = {
    "one row less": (lambda rows: np.diff(rows, axis=0), r"float64 of shape \({less}, 2, 1\)"),
    "one row more": (lambda rows: np.vstack([rows, rows[-1:]]), r"float64 of shape \({more}, 2, 1"),
    "no symbols": (lambda rows: rows[:, :1], r"float64 of shape \({n}, 1, 1\)"),
    "one row for all": (lambda rows: rows[:1], r"float64 of shape \(1, 2, 1\)"),
    "no features": (lambda rows: rows[:, :, :0], r"float64 of shape \({n}, 2, 0\)"),
    "weights alone": (lambda rows: rows[:, :, 0], r"float64 of shape \({n}, 2\)"),
    "transposed": (lambda rows: rows.transpose(1, 0, 2), r"float64 of shape \(2, {n}, 1\)"),
    "a number": (lambda rows: 0.5, "a builtins.float"),
    "nothing": (lambda rows: None, "a builtins.NoneType"),
    "lists": (lambda rows: rows.tolist(), "a builtins.list"),
    "float32": (lambda rows: rows.astype(np.float32), "float32 of shape"),
    "whole numbers": (lambda rows: rows.astype(np.int64), "int64 of shape"),
    "yes and no": (lambda rows: rows > 0.01, "bool of shape"),
    "complex": (lambda rows: rows + 0j, "complex128 of shape"),
    "objects": (lambda rows: rows.astype(object), "object of shape"),
    "other bytes": (lambda rows: rows.astype(">f8"), ">f8 of shape"),
    "masked": (lambda rows: np.ma.masked_less(rows, 0.05), r"a numpy\.ma.*MaskedArray"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", [Giving, Windowed])
@pytest.mark.parametrize("run", [scanned, live])
def test_features_of_another_shape_or_type_are_refused_by_every_run(
    run: Callable[[Strategy, Bars], object], kind: type[Giving], wrong: str
) -> None:
    give, pattern = WRONG[wrong]
    closes = CLOSES if run is scanned and kind is Giving else HISTORY
    found = pattern.format(n=closes, less=closes - 1, more=closes + 1)
    rule = rf"they must be float64 of shape \({closes} closes, 2 symbols, at least 1 feature\)$"
    with pytest.raises(BadFeatures, match=f"^features of Giving are {found}.*; {rule}"):
        run(kind(give), panel(2))


def test_arrays_in_another_order_of_memory_are_the_same_features() -> None:
    bars = panel(2)
    expected = scanned(Giving(), bars)
    assert expected[-1] == [0.11, 0.12]
    fortran = Giving(lambda rows: np.asfortranarray(rows))
    strided = Giving(lambda rows: np.repeat(rows, 2, axis=2)[:, :, ::2])
    for strategy in (Giving(), fortran, strided, Windowed(fortran.give)):
        assert scanned(strategy, bars) == expected
        assert live(strategy, bars) == expected


def test_a_windowed_strategy_has_one_number_of_features() -> None:
    growing = Windowed(lambda rows: np.repeat(rows, 1 + int(rows[-1, 0, 0] * 100) % 2, axis=2))
    with pytest.raises(BadFeatures, match="are 1 in one window and 2 in the first"):
        scan(growing, panel(1))
    steady = Windowed(lambda rows: np.repeat(rows, 2, axis=2))
    assert scanned(steady, panel(1)) == scanned(Giving(), panel(1))


@decide_jit
def _count(state: Floats, row: Floats, parameters: Floats, weights: Floats, c: Floats) -> None:
    state[0] += 1.0
    weights[0] = state[0]


@dataclass(frozen=True)
class Parts(Giving):
    """A strategy whose parts are given."""

    needs: Any = 1
    memory: Any = None
    numbers: Any = None

    decide: ClassVar[Decide] = staticmethod(_count)

    @property
    def history(self) -> Any:
        """As given."""
        return self.needs

    def initial_state(self, symbols: int) -> Any:
        """As given, the same array each time."""
        return np.zeros(1) if self.memory is None else self.memory

    def parameters(self) -> Any:
        """As given."""
        return np.zeros(0) if self.numbers is None else self.numbers


@dataclass(frozen=True)
class Uncompiled(Giving):
    """A decide that nobody compiled."""

    decide: ClassVar[Decide] = staticmethod(lambda state, row, parameters, weights, c: None)


def test_a_history_a_memory_and_a_decide_that_no_run_can_use_are_refused() -> None:
    closes = "it must be a whole number of closes, at least 1"
    vector = "it must be float64 of one dimension"
    for strategy, sentence in (
        (Parts(needs=0), f"the history of Giving is 0; {closes}"),
        (Parts(needs=-2), f"the history of Giving is -2; {closes}"),
        (Parts(needs=2.0), f"the history of Giving is 2.0; {closes}"),
        (Parts(needs=True), f"the history of Giving is True; {closes}"),
        (
            Parts(memory=np.zeros((1, 1))),
            f"the initial state of Giving is float64 of shape (1, 1); {vector}",
        ),
        (
            Parts(memory=np.zeros(1, np.int64)),
            f"the initial state of Giving is int64 of shape (1,); {vector}",
        ),
        (
            Parts(numbers=[1.0]),
            f"the parameters array of Giving is a builtins.list; {vector}",
        ),
        (Uncompiled(), "decide of Giving is a plain function; it must be compiled by decide_jit"),
    ):
        for run in (scanned, live):
            with pytest.raises(BadPart) as refused:
                run(strategy, panel(1))
            assert str(refused.value) == sentence


def test_a_memory_that_is_the_same_array_each_time_starts_anew_in_every_run() -> None:
    strategy = Parts(memory=np.zeros(2)[::2])
    expected = [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]
    for run in (scanned, scanned, live, live):
        assert run(strategy, panel(1)) == expected
