"""Where bars come from, and what every report that uses them must say about them."""

from dataclasses import dataclass

from stratvector.trading.bars import Bars
from stratvector.trading.caveats import Caveat
from stratvector.trading.timestamps import Nanoseconds


@dataclass(frozen=True)
class Provenance:
    """Facts about a series of bars that its numbers alone do not show.

    source : what it was read from.  adjusted : whether prices are a total-return series, in which
    corporate actions are already worked in, and not the prices that were traded.
    survivors : whether the names were picked knowing that they would do well.
    notes : further sentences for a report, such as rows that were left out.
    """

    source: str
    adjusted: bool
    survivors: bool = False
    notes: tuple[str, ...] = ()

    def caveats(self) -> tuple[Caveat, ...]:
        """What a report on these bars must carry."""
        facts = []
        if self.adjusted:
            sentence = (
                f"{self.source}: prices are a total-return series (adjusted for splits and "
                "dividends), not the prices that were traded."
            )
            facts.append(Caveat("total_return_prices", sentence))
        if self.survivors:
            sentence = (
                f"{self.source}: the names are survivors, picked with hindsight, so results "
                "flatter any strategy that buys them."
            )
            facts.append(Caveat("survivors", sentence))
        return (*facts, *(Caveat("source_note", note) for note in self.notes))


@dataclass(frozen=True, eq=False)
class Loaded:
    """Bars beside their provenance."""

    bars: Bars
    provenance: Provenance


@dataclass(frozen=True, eq=False)
class Scheduled(Loaded):
    """Loaded bars that close exactly when their universe's calendar says.

    open_times : when each bar opened, int64 UTC ns, shape (T,), beside `bars.close_times`: the
        session's open for a daily bar of an exchange, the previous close on 24/7.
    warmup_closes : rows before the first close that may trade; their bars only warm models up.
    caveats : what lying on the schedule showed, beside what the provenance tells.
    """

    open_times: Nanoseconds
    warmup_closes: int
    caveats: tuple[Caveat, ...] = ()
