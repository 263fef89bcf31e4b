"""orders: approved order intents (and cancels) of one portfolio, with the decision that explains
them.

"Approved by risk" is a type: execution takes `ApprovedOrder`s, and only a `Decision` holds any.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from stratvector.trading.reasons import Outcome, WeightReason
from stratvector.trading.used_bars import ABSENT, UsedBars

LATE = "late"  # in a cut: the signals did not come in time, so the decision went without


@dataclass(frozen=True)
class ApprovedOrder:
    """One market order, good until the next scheduled close of its symbol.

    lots : signed, positive buys. parts : signed lots per model in config order; they sum to `lots`.
    reference_price : the mark at the decision's close; exposure is reserved at it until a terminal
    event.
    expires_at : the close at which an unfilled rest expires, nanoseconds UTC.
    """

    order_id: str
    symbol: str
    lots: int
    parts: tuple[int, ...]
    reference_price: Decimal
    decided_at: int
    expires_at: int


@dataclass(frozen=True)
class Cancel:
    """Ask the broker to cancel a working order."""

    order_id: str
    symbol: str


@dataclass(frozen=True)
class Cross:
    """Lots that change hands between models at the decision's close, free of cost; they sum to
    zero.
    """

    symbol: str
    parts: tuple[int, ...]
    price: Decimal


@dataclass(frozen=True)
class SymbolDecision:
    """How one planned symbol came to its outcome.

    stages : exposure (fraction of equity) after each `Stage`. target_lots : what the stages ask
    for.
    """

    symbol: str
    outcome: Outcome
    stages: tuple[float, ...]
    target_lots: int
    weight_reasons: tuple[WeightReason, ...]


@dataclass(frozen=True)
class Cut:
    """What a decision used, so that a replay consumes it and never re-derives it.

    bars : universe -> message id, or ABSENT. signals : model -> message id, or LATE. fills_sequence
    and commands_sequence : the last message of each lane that was folded in.
    multipliers : per model in config order, each effective from an earlier close. late : bars of
    earlier closes that came after those, in the order in which they were taken up.
    """

    bars: dict[str, str] = field(default_factory=dict)
    signals: dict[str, str] = field(default_factory=dict)
    fills_sequence: int = 0
    commands_sequence: int = 0
    multipliers: tuple[float, ...] = ()
    late: tuple[UsedBars, ...] = ()

    @property
    def absent(self) -> tuple[str, ...]:
        """Universes of which no bars came in time."""
        return tuple(universe for universe, used in self.bars.items() if used == ABSENT)

    def is_late(self, model: str) -> bool:
        """Whether the decision went without a model's signals of its close, which may come yet."""
        return self.signals.get(model) == LATE


@dataclass(frozen=True)
class ValueAtRisk:
    """A loss by Monte Carlo, fractions of equity, both positive; level 95 %.

    as_of : the close (ns UTC) whose positions and marks it is about. seed : of all draws.
    factor : on all budgets, as it was in force when the portfolio stood so.
    """

    as_of: int
    horizon_days: float
    var_95: float
    cvar_95: float
    simulations: int
    seed: int
    factor: float = 1.0


@dataclass(frozen=True)
class Decision:
    """One portfolio's decision at one close time.

    equity, gross_exposure : base currency, and drawdown_factor: the engine's own floats.
    value_at_risk : a figure that arrived before this decision; it weighs on later ones.
    chapter : the number of the chapter that it belongs to. ends_chapter : it is the last one of
    that chapter, and the next chapter opens right after it in the lane.
    stopping : somebody stopped the portfolio: nothing is ordered, and what is working is cancelled.
    ended : nothing is working any more, and this is the portfolio's last decision in its run.
    """

    portfolio: str
    close_time: int
    equity: float
    gross_exposure: float
    drawdown_factor: float
    halted: bool
    reduce_only: bool
    orders: tuple[ApprovedOrder, ...]
    cancels: tuple[Cancel, ...]
    crosses: tuple[Cross, ...]
    symbols: tuple[SymbolDecision, ...]
    cut: Cut = field(default_factory=Cut)
    value_at_risk: ValueAtRisk | None = None
    chapter: int = 1
    ends_chapter: bool = False
    stopping: bool = False
    ended: bool = False
