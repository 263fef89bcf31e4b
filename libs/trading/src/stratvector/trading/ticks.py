"""ticks: which bars a close of a portfolio has, where bars may come too late.

Execution judges it once and names it in the report that closes the close; the decision's cut says
it again. Everybody else follows one of the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillsReport
from stratvector.trading.logged import Logged
from stratvector.trading.orders import Decision
from stratvector.trading.used_bars import ABSENT, UsedBars


@dataclass(frozen=True)
class Tick:
    """The names. close_time : ns UTC. bars : universe -> id of its bars' message, or ABSENT. late :
    of earlier closes, in the order in which they are taken up.
    """

    close_time: int
    bars: Mapping[str, str]
    late: tuple[UsedBars, ...] = ()

    @classmethod
    def of_report(cls, report: FillsReport) -> Self:
        """As execution names it in a report that closes."""
        assert report.closed is not None, "only a report that closes names bars"
        return cls(report.closed, report.bars, report.late)

    @classmethod
    def of_decision(cls, decision: Decision) -> Self:
        """As the decision's cut names it."""
        return cls(decision.close_time, decision.cut.bars, decision.cut.late)


@dataclass(frozen=True)
class TickBars:
    """The bars themselves. closing : of the universes that close, in the portfolio's order. late :
    of earlier closes, in each lane's order. absent : universes that are silent.
    """

    close_time: int
    closing: tuple[Logged[ClosedBars], ...]
    late: tuple[Logged[ClosedBars], ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def logged(self) -> tuple[Logged[ClosedBars], ...]:
        """All of them in the order in which they move marks."""
        return (*self.late, *self.closing)

    @property
    def sections(self) -> tuple[ClosedBars, ...]:
        """The same without their messages."""
        return tuple(one.noun for one in self.logged)

    @property
    def universes(self) -> tuple[str, ...]:
        """Those that close."""
        return tuple(one.noun.universe for one in self.closing)

    @property
    def named(self) -> dict[str, str]:
        """`Tick.bars`."""
        closing = {one.noun.universe: one.id for one in self.closing}
        return closing | dict.fromkeys(self.absent, ABSENT)

    @property
    def named_late(self) -> tuple[UsedBars, ...]:
        """`Tick.late`."""
        return tuple(UsedBars(one.noun.universe, one.id) for one in self.late)
