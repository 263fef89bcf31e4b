"""Every signal ends as an order or as one of these codes. Values are stable: they travel on the
wire.
"""

from enum import IntEnum


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
