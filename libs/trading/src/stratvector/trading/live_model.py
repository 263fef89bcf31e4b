"""One model live: closes of its universe in, rows of signals out, with the memory between them.

The strategy service publishes these rows; parity computes them again from logged bars.
"""

import numpy as np
from numpy.typing import NDArray

from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import CarriedModel
from stratvector.trading.reasons import SignalReason
from stratvector.trading.signals import SignalRow, Signals, derive_action
from stratvector.trading.strategy import Strategy, check_parts, checked_features, fold
from stratvector.trading.window import Window


class LiveModel:
    """A strategy over the symbols of one universe. Per close: `rows`, then `remember` or `adopt`
    what was published. Raises BadPart, and BadFeatures from `rows`.
    """

    def __init__(self, strategy: Strategy, symbols: tuple[str, ...]) -> None:
        check_parts(strategy, len(symbols))
        self._strategy, self._symbols = strategy, symbols
        self._window = Window(symbols, strategy.history)
        self._state: NDArray[np.float64] = np.array(strategy.initial_state(len(symbols)))
        self._held = [0.0] * len(symbols)

    @property
    def state(self) -> tuple[float, ...]:
        """The strategy's memory after the newest close."""
        return tuple(self._state.tolist())

    def observe(self, section: ClosedBars) -> None:
        """Take one close of the universe."""
        self._window.append(section)

    def rows(self) -> tuple[SignalRow, ...]:
        """The rows of the newest close; advances the strategy's memory."""
        if not self._window.is_full():
            return tuple(self._row(n, 0.0, 0.0, True) for n in range(len(self._symbols)))
        window = self._window.bars()
        rows = checked_features(self._strategy, self._strategy.features(window), window)
        scan = fold(self._strategy, rows[-1:], window, self._state, 0)
        decided = (values[0].tolist() for values in (scan.weights, scan.confidence))
        pairs = enumerate(zip(*decided, strict=True))
        return tuple(self._row(n, weight, sure, False) for n, (weight, sure) in pairs)

    def begin(self, carried: CarriedModel) -> None:
        """Go on from what a chapter begins with; the bars before it are observed already."""
        self._state = np.array(carried.state, dtype=np.float64)
        self.hold(carried)

    def hold(self, carried: CarriedModel) -> None:
        """Let the next actions be relative to the weights that a chapter carries, those that were
        used: nobody has kept what came too late. It is all that goes on of a model that begins anew
        over other symbols than before, which its memory says nothing of.
        """
        self._held = [carried.weights.get(symbol, 0.0) for symbol in self._symbols]

    def remember(self, rows: tuple[SignalRow, ...]) -> None:
        """The last good weights, which the next actions are relative to."""
        for n, row in enumerate(rows):
            if row.weight == row.weight:
                self._held[n] = row.weight

    def fits(self, signals: Signals) -> bool:
        """Whether these are signals of this universe with a memory of this strategy's size."""
        symbols = tuple(row.symbol for row in signals.rows)
        return symbols == self._symbols and len(signals.state) == self._state.size

    def adopt(self, signals: Signals) -> None:
        """Go on from published signals, which must fit."""
        self._state = np.array(signals.state, dtype=np.float64)
        self.remember(signals.rows)

    def _row(self, n: int, weight: float, confidence: float, warming_up: bool) -> SignalRow:
        reason = SignalReason.WARMING_UP if warming_up else SignalReason.NONE
        if weight != weight:
            reason, confidence = SignalReason.MISSING_DATA, 0.0
        action = derive_action(self._held[n], weight)
        return SignalRow(self._symbols[n], weight, confidence, action, reason)
