"""signals: one model's target weights for one close time, with confidence and reasons."""

from dataclasses import dataclass
from enum import IntEnum

from stratvector.trading.reasons import SignalReason


class Action(IntEnum):
    """What the step from the previous weight to this one means; derived, never an input."""

    HOLD = 0
    BUY = 1
    SELL = 2
    CLOSE = 3


@dataclass(frozen=True)
class SignalRow:
    """One symbol's target. weight: fraction of the model's budget, NaN = unknown; confidence 0 to
    1.
    """

    symbol: str
    weight: float
    confidence: float
    action: Action
    reason: SignalReason


@dataclass(frozen=True)
class Signals:
    """One model's signals at one close of its universe, also when nothing changed.

    state : the model's memory after this close; the next close continues from it, wherever it runs.
    bars_id : id of the bars message that the weights were computed from. chapter : the number of
    the chapter that they were computed in; of one close, those of an older chapter are not taken.
    """

    portfolio: str
    model: str
    version: str
    close_time: int
    rows: tuple[SignalRow, ...]
    state: tuple[float, ...]
    bars_id: str
    chapter: int = 1


def derive_action(previous: float, weight: float) -> Action:
    """BUY raises the weight, SELL lowers it, CLOSE takes it to zero, HOLD leaves it (or it is
    NaN).
    """
    if weight != weight or weight == previous:
        return Action.HOLD
    if weight == 0.0:
        return Action.CLOSE
    return Action.BUY if weight > previous else Action.SELL
