"""What the ledger makes of the log: its published positions, and money that ties out with the
engine's.
"""

from collections.abc import Iterator
from itertools import takewhile

from stratvector.trading.fills import FillKind
from stratvector.trading.ledger import LedgerEntry, Positions, positions_of
from stratvector.trading.logged import Logged, LoggedClose, SessionLog
from stratvector.trading.parity.difference import Difference, gaps, text

TIE_OUT = 1e-6  # units of the base currency
TIE_OUT_FRACTION = 1e-12  # of equity: the engine's money is float64


class RecordReplay:
    """The log's ledger entries against the engine's equity and the POSITIONS lane.

    The ledger publishes positions after fills, but only the newest when it has several closes at
    hand: what stands in the lane must be so, and the last one must tell of the last fills.

    behind : closes with executions that the published positions don't show yet.
    """

    def __init__(self, log: SessionLog) -> None:
        self._log = log
        self._taken = 0
        self.behind = 0

    def at(self, index: int, close: LoggedClose) -> Iterator[Difference]:
        """How the record of a close differs; closes without an entry were told by a halt."""
        if index >= len(self._log.entries):
            return
        entry = self._log.entries[index]
        yield from _untied(entry, close)
        has_traded = any(event.kind is FillKind.FILLED for event in entry.events)
        self.behind += has_traded
        for logged in self._until(entry.close_time):
            if has_traded and logged.noun.close_time == entry.close_time:
                yield from self._unequal(logged, entry)
                has_traded = False
                self.behind = 0
            else:
                yield _surplus(logged)
            self._taken += 1
        if self._log.is_complete and index == len(self._log.closes) - 1:
            yield from map(_surplus, self._log.positions[self._taken :])

    def _until(self, close_time: int) -> list[Logged[Positions]]:
        """The lane's next messages, up to a close."""
        rest = self._log.positions[self._taken :]
        return list(takewhile(lambda logged: logged.noun.close_time <= close_time, rest))

    def _unequal(self, logged: Logged[Positions], entry: LedgerEntry) -> Iterator[Difference]:
        number = self._log.published + self._taken
        for gap in gaps(logged.noun, positions_of(entry, number)):
            yield Difference(
                "positions",
                entry.close_time,
                gap.subject,
                gap.what,
                gap.logged,
                gap.replayed,
                messages={"positions": logged.id},
            )


def _surplus(logged: Logged[Positions]) -> Difference:
    """Positions at a close without executions, or twice."""
    return Difference(
        "positions",
        logged.noun.close_time,
        "",
        "message",
        text(logged.noun),
        text(None),
        messages={"positions": logged.id},
    )


def _untied(entry: LedgerEntry, close: LoggedClose) -> Iterator[Difference]:
    equity = close.decision.noun.equity
    if abs(float(entry.equity) - equity) > TIE_OUT + TIE_OUT_FRACTION * abs(equity):
        yield Difference(
            "ledger",
            close.close_time,
            "",
            "equity",
            text(entry.equity),
            text(equity),
            messages={"orders": close.decision.id},
        )
