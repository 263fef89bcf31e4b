"""fills: what the broker did with approved orders, and the fact that a close has been matched."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum

from stratvector.trading.used_bars import UsedBars


class FillKind(IntEnum):
    """What happened to an order. Terminal kinds release what it still reserves."""

    SENDING = 1  # the claim: published under the fence before the broker is called
    ACCEPTED = 2
    UNKNOWN = 3  # no answer: the exposure stays reserved and the broker is asked
    FILLED = 4  # one execution, whole or partial
    REJECTED = 5
    CANCELLED = 6
    EXPIRED = 7  # its time was over, at the broker or before it was sent
    ABANDONED = 8  # claimed by an owner that died before the broker saw it


TERMINAL = frozenset({FillKind.REJECTED, FillKind.CANCELLED, FillKind.EXPIRED, FillKind.ABANDONED})


@dataclass(frozen=True)
class FillEvent:
    """One event of one order. Money and lots are set on FILLED only.

    lots : signed lots of this execution. price, commission : as the broker charged them.
    fill_time : when the market gave the price; known_time : when the account may use it.
    """

    kind: FillKind
    order_id: str
    symbol: str
    epoch: int = 0
    execution_id: str = ""
    lots: int = 0
    price: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    slippage: Decimal = Decimal(0)
    fill_time: int = 0
    known_time: int = 0
    text: str = ""


@dataclass(frozen=True)
class FillsReport:
    """Events of one account in their order; with `closed` set, everything up to that close is
    matched.

    number : counts through all chapters. chapter : the number of the one that it was written in.
    bars : in a run with deadlines, with `closed`: universe -> id of the bars that it closes with,
    or ABSENT. late : bars of earlier closes that came after those, in the order in which they are
    taken up. A replay names none, as all its bars come.
    """

    portfolio: str
    account: str
    number: int
    events: tuple[FillEvent, ...]
    closed: int | None = None
    chapter: int = 1
    bars: dict[str, str] = field(default_factory=dict)
    late: tuple[UsedBars, ...] = ()
