"""carried: what a portfolio takes from one chapter into the next, by name and to the bit.

Risk writes it after the last decision of a chapter. Whoever begins with the next chapter begins
with this, and comes to the same numbers as whoever read the log from its first message on.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import IntEnum

from stratvector.trading.orders import ApprovedOrder, Cancel, ValueAtRisk
from stratvector.trading.portfolio import Costs


class OrderWord(IntEnum):
    """The last word of the FILLS lane about an order that is open."""

    NONE = 1  # never claimed: it may be sent
    CLAIMED = 2  # sending, or unknown: the broker may or may not have it
    ACCEPTED = 3


@dataclass(frozen=True)
class CarriedCell:
    """One model in one symbol.

    lots : signed, attributed to it. held_weight : its last good weight. missing : closes since.
    """

    model: str
    lots: int
    held_weight: float
    missing: int


@dataclass(frozen=True)
class CarriedSymbol:
    """One symbol of the book.

    lots : signed, held. mark : the last close, base currency per unit, 0 before the first bar.
    cells : of the models that have anything to say about it, in the portfolio's order. kept :
    signed lots that the model `manual` wants.
    """

    symbol: str
    lots: int
    mark: float
    cells: tuple[CarriedCell, ...] = ()
    kept: int = 0


@dataclass(frozen=True)
class CarriedOrder:
    """An order without a last word. word : as of the fills that the book has. filled : signed lots.
    given : the same per model, as `order.parts` are. costs : of the chapter that it was decided in,
    which stay its own. cancelling : a cancel of it is under way.
    """

    order: ApprovedOrder
    word: OrderWord
    filled: int
    given: tuple[int, ...]
    costs: Costs
    cancelling: bool = False


@dataclass(frozen=True)
class CarriedModel:
    """One model.

    cash : the engine's own, base currency; exact_cash, commission : the ledger's. close_time : of
    its newest signals that a decision used, ns UTC; before the first the close that it was added
    after, or that its new version began after, 0 for one that was there from the start. state :
    its memory after that close, empty if nothing was used; what came late is not in it, and is
    computed again from the bars. weights : symbol -> its last known weight, zero ones left out,
    which its next actions are relative to.
    universe : that it trades; empty for one that was removed and whose universe has gone, and for
    `manual`.
    """

    name: str
    cash: float
    exact_cash: Decimal
    commission: Decimal
    close_time: int = 0
    state: tuple[float, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    universe: str = ""


@dataclass(frozen=True)
class CarriedAccount:
    """One broker account.

    cash : the engine's own, base currency; exact_cash : the ledger's. reports : how many its FILLS
    lane has.
    """

    name: str
    cash: float
    exact_cash: Decimal
    reports: int = 0


@dataclass(frozen=True)
class CarriedDate:
    """The last close of each symbol, in the order of the carried ones, on one UTC date; NaN before
    the first.
    """

    marks: tuple[float, ...]


@dataclass(frozen=True)
class Carried:
    """The account, the models and the open orders after the decision at `close_time`, ns UTC; 0 =
    before the first one.

    cash, peak, day_start, last_equity, day, halted, day_loss : the engine's book, cash that of all
    accounts. next_closes : universe -> when it closes next, ns UTC, 0 = never; one that is not
    later than `close_time` has passed without bars: the universe is absent. A universe that was
    added and of which no close was used is not in it.
    symbols, models, accounts : all of the portfolio, in its order. orders : open
    ones, the new ones of the last decision included. cancels : of that decision.
    sequences : subject -> its message that was used last.
    value_at_risk : the figure in force, recorded by the decision at `recorded_at`, 0 = none.
    dates : what the next figure is asked with: the last dates that ended, then that of this close.
    """

    close_time: int
    cash: float
    peak: float
    day_start: float
    last_equity: float
    day: int
    halted: bool
    day_loss: bool
    next_closes: Mapping[str, int]
    symbols: tuple[CarriedSymbol, ...]
    models: tuple[CarriedModel, ...]
    accounts: tuple[CarriedAccount, ...]
    orders: tuple[CarriedOrder, ...]
    cancels: tuple[Cancel, ...]
    sequences: Mapping[str, int]
    dates: tuple[CarriedDate, ...]
    value_at_risk: ValueAtRisk | None = None
    recorded_at: int = 0

    @property
    def held(self) -> frozenset[str]:
        """The symbols of which the account or any model has lots, or that an open order is of."""
        held = {one.symbol for one in self.symbols if one.lots or any(c.lots for c in one.cells)}
        return frozenset(held | {one.order.symbol for one in self.orders})

    def bars_until(self, universe: str) -> int:
        """The time up to which all bars of a universe were used, ns UTC: that of the decision, or
        before the close since which it is absent. Of one that is added what is before is not used.
        """
        promised = self.next_closes.get(universe, 0)
        return min(self.close_time, promised - 1) if promised else self.close_time

    def begun_anew(self, models: Collection[str]) -> "Carried":
        """The same where some models are new versions of themselves: what they hold, earned and
        said last stays, and of their memory there is none, as of a model that is added here.
        """
        renewed = tuple(
            replace(one, state=(), close_time=self.bars_until(one.universe))
            if one.name in models
            else one
            for one in self.models
        )
        return replace(self, models=renewed)

    def account(self, name: str) -> CarriedAccount:
        """An account by name. Raises KeyError."""
        return {account.name: account for account in self.accounts}[name]

    def model(self, name: str) -> CarriedModel | None:
        """A model by name, None for one that was not there before."""
        return next((model for model in self.models if model.name == name), None)
