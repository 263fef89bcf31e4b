"""What risk knows of its portfolio after a decision, for whoever asks or scrapes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stratvector.runtime.host import AnsweredFrom
from stratvector.trading.orders import Decision, ValueAtRisk
from stratvector.trading.portfolio import Portfolio


@dataclass(frozen=True)
class PortfolioState:
    """As of the newest decision, adopted or made.

    portfolio : as the chapter has it that holds.
    peak : the highest equity of any close so far, base currency. lots : signed lots that are held.
    marks : last price of each of these, base currency per unit.
    figure : the newest value at risk that a decision recorded, at `recorded_at` (ns UTC, 0 = none).
    trouble : why there is no newer one. late : model -> how often this owner of the portfolio has
    decided without its signals.
    """

    portfolio: Portfolio
    decision: Decision
    peak: float
    lots: Mapping[str, int]
    marks: Mapping[str, float]
    figure: ValueAtRisk | None
    recorded_at: int
    trouble: str
    late: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Decided:
    """A portfolio that risk decides for, here or in another replica. look : its state, None before
    the first decision that is known here. answered_from : whose questions about it are.
    """

    portfolio: Portfolio
    look: Callable[[], PortfolioState | None]
    answered_from: Callable[[], AnsweredFrom]
