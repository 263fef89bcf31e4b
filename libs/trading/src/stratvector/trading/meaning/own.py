"""What a reader holds nouns against: its own portfolio, in the forms that the checks ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from stratvector.trading.portfolio import Portfolio
from stratvector.trading.runs import has_deadlines


@dataclass(frozen=True)
class Own:
    """Names and bounds of one portfolio, worked out once.

    accounts : symbol -> the account that it is traded at. leading : the account whose reports name
    bars. rows : model -> the symbols of its universe, in their order; none where that has gone.
    universes : the same by
    universe.
    lot_sizes : symbol -> units in a lot. weight_max : the largest |weight| of one symbol: the whole
    budget, or as often as the gross cap lets the portfolio borrow. has_deadlines : whether signals
    may be late.
    """

    portfolio: str
    accounts: Mapping[str, str]
    leading: str
    rows: dict[str, tuple[str, ...]]
    universes: dict[str, tuple[str, ...]]
    lot_sizes: dict[str, Decimal]
    weight_max: float
    has_deadlines: bool = False

    @classmethod
    def of(cls, portfolio: Portfolio) -> Self:
        """Of a portfolio."""
        symbols = {universe.name: universe.symbols for universe in portfolio.universes}
        return cls(
            portfolio.name,
            portfolio.account_of,
            portfolio.account_names[0],
            {model.name: symbols.get(model.universe, ()) for model in portfolio.models},
            symbols,
            {one.symbol: one.lot_size for one in portfolio.instruments},
            max(1.0, float(portfolio.limits.gross or 1.0)),
            has_deadlines(portfolio.run),
        )
