"""The base of strategies whose features are indicators of their bars."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from stratvector.strategies.bad_strategy import BadFeatures
from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators import Indicators
from stratvector.strategies.parameters import check_types, require_at_least
from stratvector.trading.bars import Bars
from stratvector.trading.strategy import Strategy, unlike


@dataclass(frozen=True)
class IndicatorStrategy(Strategy):
    """A strategy whose features are `Indicators`; in a sweep, parameter sets share them."""

    def __post_init__(self) -> None:
        check_types(self)
        require_at_least(1, self, "bars_per_day")
        self.check()

    def check(self) -> None:
        """Raise ImpossibleParameter when the parameters break a rule of this model."""

    @abstractmethod
    def rows(self, indicators: Indicators) -> tuple[Floats, ...]:
        """The features, each closes x symbols; row t reads the last `history` closes only.

        A run raises BadFeatures where one of them is not float64 of that shape.
        """

    def features(self, bars: Bars) -> Floats:
        """Rows of shape (len(bars), symbols, features), NaN before `history` - 1."""
        return self._stacked(Indicators(bars))

    @classmethod
    def features_of_each(cls, strategies: Iterable[Self], bars: Bars) -> Iterator[Floats]:
        """The features of each parameter set, in order; indicators they share are computed once."""
        indicators = Indicators(bars)
        for strategy in strategies:
            yield strategy._stacked(indicators)

    def _stacked(self, indicators: Indicators) -> Floats:
        rows: object = self.rows(indicators)
        closes, symbols = indicators.bars.close.shape
        if not isinstance(rows, tuple | list):
            raise BadFeatures(self.name, f"one {type(rows).__name__}", closes, symbols)
        if not rows:
            raise BadFeatures(self.name, "no feature at all", closes, symbols)
        for number, row in enumerate(rows):
            # Before they are stacked: that would put arrays of whole numbers beside each other.
            found = unlike(row, (closes, symbols))
            if found is not None:
                raise BadFeatures(self.name, f"{found} in feature {number}", closes, symbols)
        stacked = np.stack(rows, axis=-1)
        stacked[: self.history - 1] = np.nan
        return stacked
