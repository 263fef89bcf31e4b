"""The last closes of a universe, as bars: what a live strategy computes its row from."""

import numpy as np

from stratvector.trading.bars import FIELDS, Bars, ClosedBars


class Window:
    """Keeps the last `history` closes in one growing block, so that no close copies the window."""

    def __init__(self, symbols: tuple[str, ...], history: int) -> None:
        self._symbols, self._history = symbols, history
        self._capacity = 2 * history + 64
        self._times = np.zeros(self._capacity, np.int64)
        self._values = {name: np.zeros((self._capacity, len(symbols))) for name in FIELDS}
        self._stop = 0

    def append(self, section: ClosedBars) -> None:
        """Take one close; the oldest ones are forgotten."""
        if self._stop == self._capacity:
            self._move_to_front()
        self._times[self._stop] = section.close_time
        for name in FIELDS:
            self._values[name][self._stop] = getattr(section, name)
        self._stop += 1

    def is_full(self) -> bool:
        """Whether as many closes are here as one row of features needs."""
        return self._stop >= self._history

    def bars(self) -> Bars:
        """The last `history` closes, as views."""
        rows = slice(self._stop - self._history, self._stop)
        return Bars(
            self._symbols, self._times[rows], *(self._values[name][rows] for name in FIELDS)
        )

    def _move_to_front(self) -> None:
        kept = slice(self._stop - self._history + 1, self._stop)
        count = self._history - 1
        self._times[:count] = self._times[kept].copy()
        for name in FIELDS:
            self._values[name][:count] = self._values[name][kept].copy()
        self._stop = count
