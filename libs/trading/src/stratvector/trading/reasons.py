"""Every signal ends as an order or as one of these codes. Values are stable: they travel on the
wire. Beside them what a person reads: every command, page and answer takes its words from here.
"""

from enum import IntEnum

from stratvector.trading.nearest import suggestion


class SignalReason(IntEnum):
    """Why a model's weight is what it is."""

    NONE = 0
    WARMING_UP = 1  # fewer scheduled closes than the model's history: weight 0
    MISSING_DATA = 2  # the row is NaN: the previous target is kept


class WeightReason(IntEnum):
    """What risk made of a model's weight before any limit."""

    FRESH = 0
    KEPT = 1  # NaN or late: the previous target is kept
    EXPIRED = 2  # NaN or late for more than three closes: target 0


class Outcome(IntEnum):
    """How a symbol's plan ended at one decision."""

    NOT_PLANNED = 0  # the symbol's universe does not close at this time
    ORDERED = 1
    NO_CHANGE = 2  # the target in lots equals position plus working orders
    BELOW_BAND = 3  # the change is inside the rebalance band or below the minimum order
    STALE = 4  # the symbol's bar at this close is missing
    NO_PRICE = 5  # no positive, finite mark
    NO_EQUITY = 6  # equity is not positive and finite
    TOO_LARGE = 7  # the target does not fit in whole lots (2^53)
    NO_ROOM = 8  # a cap leaves no room once all working orders are filled
    REDUCE_ONLY = 9  # the daily loss limit allows no new risk
    HALTED = 10  # the drawdown latch is set: flat, and nothing new
    RESTRICTED = 11  # the symbol is on the restricted list
    WORKING = 12  # an order of the symbol has no terminal event yet: the symbol is frozen
    NO_CASH = 13  # `cash: strict`, and no cash is left for a lot of the buy


class Stage(IntEnum):
    """The stages between weights and lots, in their order; each records the exposure that it
    leaves.
    """

    NETTED = 0  # weight x budget x multipliers, clipped per model and symbol, net over models
    SYMBOL = 1
    ASSET = 2
    CLASS = 3
    INVESTED = 4
    GROSS = 5
    CAPITAL = 6
    DRAWDOWN = 7


NOT_REJECTED = frozenset({Outcome.NOT_PLANNED, Outcome.ORDERED, Outcome.NO_CHANGE})
REJECTED = tuple(outcome for outcome in Outcome if outcome not in NOT_REJECTED)

OUTCOME_WORDS = {
    Outcome.NOT_PLANNED: "the symbol's universe does not close at this time",
    Outcome.ORDERED: "an order was approved",
    Outcome.NO_CHANGE: "what is held and on its way is what is wanted",
    Outcome.BELOW_BAND: "the change is smaller than the smallest one that is traded",
    Outcome.STALE: "the symbol's bar of this close is missing",
    Outcome.NO_PRICE: "the symbol has no positive, finite price",
    Outcome.NO_EQUITY: "the account's equity is not positive and finite",
    Outcome.TOO_LARGE: "the target does not fit in whole lots",
    Outcome.NO_ROOM: "a cap leaves no room once all working orders are filled",
    Outcome.REDUCE_ONLY: "the daily loss limit allows no new risk for the rest of the day",
    Outcome.HALTED: "the drawdown limit has halted the portfolio: it goes flat and stays flat",
    Outcome.RESTRICTED: "the symbol is on the restricted list",
    Outcome.WORKING: "an order of the symbol is still working",
    Outcome.NO_CASH: "cash: strict leaves no cash for it",
}
SIGNAL_WORDS = {
    SignalReason.NONE: "",
    SignalReason.WARMING_UP: "it is warming up: weight 0",
    SignalReason.MISSING_DATA: "its input is missing: no weight",
}
WEIGHT_WORDS = {
    WeightReason.FRESH: "",
    WeightReason.KEPT: "the weight before it is kept",
    WeightReason.EXPIRED: "no weight for more than three closes: target 0",
}
STAGE_WORDS = {
    Stage.NETTED: "what the models ask for, each within its own caps, net",
    Stage.SYMBOL: "the cap of one symbol over all models",
    Stage.ASSET: "the cap of one underlying over its symbols",
    Stage.CLASS: "the cap of the asset class",
    Stage.INVESTED: "the cap of all long exposures",
    Stage.GROSS: "the cap of all absolute exposures",
    Stage.CAPITAL: "the cap of capital in the base currency",
    Stage.DRAWDOWN: "the drawdown rule",
}


class UnknownReason(ValueError):
    """A name that is no reason; the message names the nearest one."""


def rejection_named(name: str) -> Outcome:
    """The reason for no order that has a name, such as "below_band". Raises UnknownReason."""
    names = {outcome.name.lower(): outcome for outcome in REJECTED}
    if name in names:
        return names[name]
    raise UnknownReason(f"{name!r} is no reason for no order: {suggestion(name, names)}")
