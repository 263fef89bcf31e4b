"""Signals computed again from the logged bars, close by close as the strategy service does."""

from collections.abc import Iterator, Mapping

from stratvector.trading.bars import ClosedBars
from stratvector.trading.live_model import LiveModel
from stratvector.trading.logged import Logged, LoggedClose
from stratvector.trading.parity.difference import Difference, Fact, gaps, text
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.signals import SignalRow, Signals
from stratvector.trading.strategy import Strategy

Warmup = Mapping[str, tuple[Logged[ClosedBars], ...]]


class SignalsReplay:
    """Every model of a portfolio; logged signals are adopted, so that a difference stays one."""

    def __init__(
        self, portfolio: Portfolio, strategies: Mapping[str, Strategy], warmup: Warmup
    ) -> None:
        self._portfolio, self._strategies = portfolio, strategies
        self._models: dict[str, LiveModel] = {}
        for model in portfolio.models:
            live = LiveModel(strategies[model.name], portfolio.universe(model.universe).symbols)
            self._models[model.name] = live
            for logged in warmup[model.universe]:
                live.observe(logged.noun)
                live.rows()

    def at(self, index: int, close: LoggedClose) -> Iterator[Difference]:
        """How the signals of a close differ from what the strategies say."""
        for model in self._portfolio.models:
            if model.universe in close.bars:
                yield from self._differences(model, close)

    def _differences(self, model: ModelAllocation, close: LoggedClose) -> Iterator[Difference]:
        live, bars = self._models[model.name], close.bars[model.universe]
        live.observe(bars.noun)
        logged = close.signals[model.name]
        replayed = self._replayed(model.name, close, bars, live.rows(), live)
        for gap in gaps(logged.noun, replayed):
            yield Difference(
                noun="signals",
                close_time=close.close_time,
                subject=gap.subject or model.name,
                what=gap.what,
                logged=gap.logged,
                replayed=gap.replayed,
                facts=_facts(gap.subject, logged.noun, replayed, model.name),
                messages={
                    f"bars {model.universe}": bars.id,
                    f"signals {model.name}": logged.id,
                },
            )
        if live.fits(logged.noun):
            live.adopt(logged.noun)

    def _replayed(
        self,
        name: str,
        close: LoggedClose,
        bars: Logged[ClosedBars],
        rows: tuple[SignalRow, ...],
        live: LiveModel,
    ) -> Signals:
        version = self._strategies[name].version
        parts = (self._portfolio.name, name, version, close.close_time)
        # That the chapter is the one which the close belongs to was seen when the log was read.
        return Signals(*parts, rows, live.state, bars.id, close.signals[name].noun.chapter)


def _facts(symbol: str, logged: Signals, replayed: Signals, model: str) -> tuple[Fact, ...]:
    """The model, the symbol's whole row and the memory on both sides."""
    rows = [
        next((row for row in signals.rows if row.symbol == symbol), None)
        for signals in (logged, replayed)
    ]
    told = [Fact("model", model, model), Fact("state", text(logged.state), text(replayed.state))]
    if any(rows):
        told.insert(1, Fact("row", text(rows[0]), text(rows[1])))
    return tuple(told)
