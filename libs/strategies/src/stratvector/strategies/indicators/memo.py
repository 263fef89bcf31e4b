"""Each result over some bars, computed once: the ground under every family of indicators."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.bad_indicator import BadColumn, UnknownColumn
from stratvector.strategies.indicators.decay import decayed_sums, decayed_sums_without_gaps
from stratvector.strategies.indicators.window import (
    BLOCK,
    add_lags,
    count_present,
    mark_present,
    mark_usable,
    simple_average,
    zero_missing,
)
from stratvector.trading.bars import FIELDS, Bars

Kernel = Callable[..., None]


@dataclass(frozen=True, eq=False)
class Input:
    """What an indicator is computed of. key : its name in the memo. closes : that a row reads."""

    key: Hashable
    values: Floats
    closes: int = 1


class Memo:
    """Results over `bars`, each memoised by its kernel, its input and its parameters."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self._results: dict[tuple[Kernel, Hashable], tuple[Floats, ...]] = {}
        self._inputs: dict[Hashable, Input] = {}
        self._closes: dict[int, int] = {}
        self._running_sums: dict[Hashable, tuple[int, Floats]] = {}
        self._answers: dict[Hashable, Any] = {}
        self._held: list[Floats] = []  # the arrays given: an id must not be used again

    def apply(self, kernel: Kernel, key: Hashable, inputs: Callable[[], tuple[Any, ...]]) -> Floats:
        """What kernel(*inputs(), result) writes into `result`, once per kernel and key.

        A strategy brings kernels of its own through here.
        """
        return self.apply_all(kernel, key, inputs, 1)[0]

    def apply_all(
        self, kernel: Kernel, key: Hashable, inputs: Callable[[], tuple[Any, ...]], results: int
    ) -> tuple[Floats, ...]:
        """What kernel(*inputs(), *results) writes into so many results, once per kernel and key."""
        found = self._results.get((kernel, key))
        if found is None:
            found = tuple(np.empty(self.bars.close.shape) for _ in range(results))
            kernel(*inputs(), *found)
            for result in found:
                result.flags.writeable = False
            self._results[kernel, key] = found
        return found

    def computed(self, kernel: Kernel) -> int:
        """How many different results of that kernel there are."""
        return sum(1 for known, _ in self._results if known is kernel)

    def values(self, of: str = "close") -> Floats:
        """A column of the bars as it is, NaN where the bar is missing."""
        return self.input(of).values

    def input(self, of: str | Floats) -> Input:
        """A column of the bars by name, or an array float64[closes, symbols], such as a result.

        The array is held and must not change. Raises UnknownColumn, BadColumn.
        """
        key: Hashable = of if isinstance(of, str) else ("array", id(of))
        found = self._inputs.get(key)
        if found is None:
            found = self._inputs[key] = Input(key, self._array(of), self._closes.get(id(of), 1))
        return found

    def derived(self, name: str, kernel: Kernel, *of: Input) -> Input:
        """An input that a kernel makes of others, row by row."""
        key = (name, *(one.key for one in of))
        values = self.apply(kernel, key, lambda: tuple(one.values for one in of))
        return Input(key, values, max(one.closes for one in of))

    def note_closes(self, result: Any, closes: int, given: Mapping[str, Any]) -> None:
        """Remember how many closes a result reads, for what is computed of it."""
        arrays = [value for value in given.values() if isinstance(value, np.ndarray)]
        reads = closes + max((self._closes.get(id(array), 1) for array in arrays), default=1) - 1
        for array in result if isinstance(result, tuple) else (result,):
            self._closes.setdefault(id(array), reads)

    def present(self, of: Input) -> Floats:
        """1.0 where there is a value, else 0.0."""
        return self.apply(mark_present, of.key, lambda: (of.values,))

    def filled(self, of: Input) -> Floats:
        """The values, 0.0 where they are missing."""
        return self.apply(zero_missing, of.key, lambda: (of.values,))

    def counts(self, window: int, of: Input) -> Floats:
        """How many of the last `window` values are present."""
        return self.apply(count_present, (of.key, window), lambda: (self.present(of), window))

    def usable(self, window: int, of: Input) -> Floats:
        """1.0 where the package's rule lets a window have a value, else 0.0."""
        return self.apply(
            mark_usable,
            (of.key, window),
            lambda: (self.present(of), self.counts(window, of), window, of.closes - 1),
        )

    def sums(self, window: int, of: Input) -> Floats:
        """Sums over the window; the last ones asked for are kept and lengthened for the next.

        They are the caller's until the next question.
        """
        summed, sums = self._running_sums.get(of.key, (0, None))
        if sums is None or summed > window:
            summed, sums = 0, np.zeros(self.bars.close.shape)
        filled = self.filled(of)
        add_lags(filled.reshape(-1), sums.reshape(-1), summed, window, sums.shape[1])
        self._running_sums[of.key] = (window, sums)
        return sums

    def mean(self, window: int, of: Input) -> Floats:
        """Mean of the present values of the window, NaN where it is not usable."""
        return self.apply(
            simple_average,
            (of.key, window),
            lambda: (self.sums(window, of), self.counts(window, of), self.usable(window, of)),
        )

    def decayed(self, decay: float, window: int, of: Input) -> tuple[Floats, Floats]:
        """Sums of the last `window` values, each weighing `decay` times the next present one.

        And what the value before the window would weigh. Rows that are not usable mean nothing.
        """
        symbols = self.bars.close.shape[1]
        first = (of.closes - 1) * symbols
        present = self.present(of)
        gapless = bool(present.reshape(-1)[first:].all())
        kernel = decayed_sums_without_gaps if gapless else decayed_sums
        rows = max(1, BLOCK // max(1, symbols), 3 * window)
        sums, left = self.apply_all(
            kernel,
            (of.key, decay, window),
            lambda: (
                self.filled(of),
                present,
                decay,
                window,
                rows,
                symbols,
                np.zeros((4, (rows + window) * symbols)),
            ),
            2,
        )
        return sums, left

    def _array(self, of: str | Floats) -> Floats:
        if isinstance(of, str):
            if of not in FIELDS:
                raise UnknownColumn(of, FIELDS)
            of = getattr(self.bars, of)
        shape = self.bars.close.shape
        if not isinstance(of, np.ndarray) or of.dtype != np.float64 or of.shape != shape:
            found = f"{of.dtype} {of.shape}" if isinstance(of, np.ndarray) else repr(of)
            raise BadColumn(found, shape)
        self._held.append(of)
        array: Floats = np.ascontiguousarray(of).view()
        array.flags.writeable = False
        return array
