"""marks: the newest known price of each symbol, and when it was one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stratvector.trading.bars import ClosedBars
from stratvector.trading.instruments import Instrument


@dataclass(frozen=True)
class Mark:
    """A close. price : base currency per unit. close_time : ns UTC."""

    price: float
    close_time: int


class Marks:
    """Prices by symbol, on the grid of fills; a missing bar leaves the price before it."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._marks: dict[str, Mark] = {}

    @property
    def known(self) -> dict[str, Mark]:
        """What there is, by symbol; what `resume` goes on from."""
        return dict(self._marks)

    def resume(self, known: Mapping[str, Mark]) -> None:
        """Go on from other marks."""
        self._marks = dict(known)

    def take(self, newest_first: Iterable[ClosedBars]) -> None:
        """Cross-sections of one universe, looked at until each symbol has a price."""
        found: set[str] = set()
        for section in newest_first:
            for symbol, price in zip(section.symbols, section.close.tolist(), strict=True):
                if symbol not in found and price == price:
                    on_grid = float(self._instruments[symbol].price(price))
                    self._marks[symbol] = Mark(on_grid, section.close_time)
                    found.add(symbol)
            if len(found) == len(section.symbols):
                return

    def of(self, symbol: str) -> Mark | None:
        """The newest, or None before the symbol's first bar."""
        return self._marks.get(symbol)
