"""logged_ticks: the closes of a logged session, each with its bars.

replay              what the bars promise, merged
run with deadlines  what execution's reports name, held against the lanes of bars
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stratvector.contracts.codecs import BadMessage, decode_fills_report
from stratvector.runtime.epochs import contents
from stratvector.runtime.logged_bars import UniverseBars
from stratvector.runtime.ports import Bus, Kind, Stored
from stratvector.runtime.readers import carried_sequence
from stratvector.runtime.unfit_messages import (
    OtherBars,
    UnfitMessage,
    refuse_late_close,
    refuse_other_close,
    refuse_unnamed,
)
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.lanes import bars_lane, earlier_bars_lanes, fills_lane
from stratvector.trading.logged import Halt, Logged
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.rules import check_known
from stratvector.trading.meaning.ticks import check_named_of
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.schedule import Schedule
from stratvector.trading.ticks import Tick
from stratvector.trading.unfit import UnfitNoun
from stratvector.trading.used_bars import ABSENT


@dataclass(frozen=True)
class LoggedTick:
    """A close. closing : by universe that closes; None where its bars are not there yet. late : of
    earlier closes. absent : universes that are silent.
    """

    close_time: int
    closing: Mapping[str, Logged[ClosedBars] | None]
    late: tuple[Logged[ClosedBars], ...] = ()
    absent: tuple[str, ...] = ()


def promised_ticks(schedule: Schedule, bars: Mapping[str, UniverseBars]) -> list[LoggedTick]:
    """Those of a replay."""
    return [
        LoggedTick(
            close_time, {name: bars[name].at.get(close_time) for name in schedule.universes_at(row)}
        )
        for row, close_time in enumerate(schedule.close_times.tolist())
    ]


class NamedTicks:
    """Those of a run with deadlines, as far as their bars are read. halts : what no reader of the
    reports takes, at most one. carried : what the chapter that is read first begins with, None in
    the first of all.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        bars: Mapping[str, UniverseBars],
        carried: Carried | None = None,
    ) -> None:
        self.ticks: list[LoggedTick] = []
        self.halts: list[Halt] = []
        lane = fills_lane(portfolio, portfolio.account_names[0])
        self._lane, self._bars = lane, bars
        # Of universes alone: symbols and models are those of chapters that are not read yet.
        everything = {name: one.universe.symbols for name, one in bars.items()}
        self._own = replace(Own.of(portfolio), universes=everything)
        self._left = {name: list(one.at.values())[::-1] for name, one in bars.items()}
        # By universe, and by the close that it came after.
        self._promised: dict[tuple[str, int], int | None] = {}
        if carried is not None:
            promised = _promised(portfolio, carried)
            self._promised |= {(name, 0): close_time for name, close_time in promised.items()}
        self._after = carried_sequence(carried, lane)

    async def read(self, bus: Bus) -> None:
        """What is stored now."""
        for stored in await contents(bus, self._lane, after=self._after):
            if not self._take(stored):
                return

    def _take(self, stored: Stored) -> bool:
        """False where no more can be told."""
        try:
            if stored.message.kind is Kind.OPENED:
                return False  # told where the reports are read
            report = decode_fills_report(stored.message.payload)
            if report.closed is None:
                return True
            check_named_of(report.bars, report.late, self._own)
            tick = self._tick(Tick.of_report(report))
        except BadMessage:
            return False  # told where the reports are read
        except (UnfitMessage, UnfitNoun) as error:
            close_time = report.closed or 0
            self.halts.append(Halt("fills", self._lane, close_time, stored.message.id, str(error)))
            return False
        if tick is not None:
            self.ticks.append(tick)
        return tick is not None

    def _tick(self, tick: Tick) -> LoggedTick | None:
        """None where bars that it names were not stored yet when they were read. Raises
        UnfitMessage.
        """
        lives = {name: one.life_at(tick.close_time) for name, one in self._bars.items()}
        self._lives = {name: life for name, life in lives.items() if life is not None}
        check_known("universe", [*tick.bars, *(one.universe for one in tick.late)], self._lives)
        late = [self._named(one.universe, one.message_id) for one in tick.late]
        closing: dict[str, Logged[ClosedBars] | None] = {}
        for name in self._lives:
            if (used := tick.bars.get(name, ABSENT)) != ABSENT:
                closing[name] = self._named(name, used)
        found = [one for one in (*late, *closing.values()) if one is not None]
        if len(found) < len(late) + len(closing):
            return None
        self._check(tick, found, len(late))
        named_late = tuple(one for one in late if one is not None)
        return LoggedTick(tick.close_time, closing, named_late, self._absent(tick))

    def _named(self, universe: str, id: str) -> Logged[ClosedBars] | None:
        """The universe's next bars. Raises OtherBars."""
        left, life = self._left[universe], self._lives[universe]
        while left and left[-1].noun.close_time <= life:
            left.pop()  # of a life before, which nobody took up any more
        if not left:
            return None
        received = left.pop()
        if received.id != id:
            raise OtherBars(self._bars[universe].lane, id, received.id)
        self._promised[universe, life] = received.noun.next_close
        return received

    def _check(self, tick: Tick, found: Sequence[Logged[ClosedBars]], late: int) -> None:
        """Raises OutOfStep."""
        if self.ticks:
            refuse_late_close(self._lane, tick.close_time, self.ticks[-1].close_time)
        for place, one in enumerate(found):
            lane = self._bars[one.noun.universe].lane
            refuse = refuse_late_close if place < late else refuse_other_close
            refuse(lane, tick.close_time, one.noun.close_time)

    def _absent(self, tick: Tick) -> tuple[str, ...]:
        """Raises UnnamedBars."""
        absent = tuple(name for name in self._lives if tick.bars.get(name) == ABSENT)
        for name, life in self._lives.items():
            bars = self._bars[name]
            if name not in tick.bars and self._promised.get((name, life)) is None:
                self._promised[name, life] = bars.first_after(life)
            if name in absent or name not in tick.bars:
                promised = self._promised.get((name, life))
                is_overdue = promised is None or 0 < promised <= tick.close_time
                refuse_unnamed(bars.lane, tick.close_time, is_overdue, name in absent)
        return absent


def _promised(portfolio: Portfolio, carried: Carried) -> dict[str, int]:
    """When each universe closes next as a chapter begins, ns UTC, of those whose bars were used."""
    promised = dict[str, int]()
    for universe in portfolio.universes:
        lanes = (bars_lane(portfolio, universe), *earlier_bars_lanes(portfolio, universe))
        is_known = universe.name in carried.next_closes
        if is_known and any(lane in carried.sequences for lane in lanes):
            promised[universe.name] = carried.next_closes[universe.name]
    return promised
