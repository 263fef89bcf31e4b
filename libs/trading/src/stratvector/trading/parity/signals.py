"""Signals computed again from the logged bars, close by close as the strategy service does."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence

from stratvector.trading.bars import ClosedBars
from stratvector.trading.lanes import bars_lane
from stratvector.trading.live_model import LiveModel
from stratvector.trading.logged import EarlierClose, Logged, LoggedChapter, LoggedClose
from stratvector.trading.parity.chapters import begins_of
from stratvector.trading.parity.difference import Difference, Fact, gaps, text
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.signals import SignalRow, Signals
from stratvector.trading.strategy import Strategy
from stratvector.trading.versions import begins_anew

Warmup = Mapping[str, tuple[Logged[ClosedBars], ...]]


class SignalsReplay:
    """Every model of a portfolio; logged signals are adopted, so that a difference stays one.

    chapters : those that opened after the first one, which may have other models. start : the
    first close that may trade, ns UTC. begins : the chapter that the log is read from, None for the
    first of all; the warm-up is what was used before it.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        strategies: Mapping[str, Strategy],
        warmup: Warmup,
        chapters: Sequence[LoggedChapter] = (),
        start: int = 0,
        begins: LoggedChapter | None = None,
    ) -> None:
        self._start = start
        self._portfolio, self._strategies = portfolio, dict(strategies)
        self._models: dict[str, LiveModel] = {}
        self._begins = begins_of(chapters)
        self._unused: dict[str, tuple[SignalRow, ...]] = {}
        # Per universe the bars of its version that came before any close of it was used.
        self._before: dict[str, Sequence[Logged[ClosedBars]]] = dict(warmup)
        longest = max((s.history for s in self._all_strategies()), default=0)
        self._recent = defaultdict[str, deque[ClosedBars]](lambda: deque(maxlen=longest))
        for model in portfolio.active:
            live = LiveModel(strategies[model.name], portfolio.universe(model.universe).symbols)
            self._models[model.name] = live
            if begins is not None:
                self._recall(model, begins, warmup[model.universe])
                continue
            for logged in warmup[model.universe]:
                live.observe(logged.noun)
                live.rows()
        for name, sections in warmup.items():
            self._recent[name].extend(logged.noun for logged in sections)

    def at(self, index: int, close: LoggedClose) -> Iterator[Difference]:
        """How the signals of a close differ from what the strategies say."""
        for earlier in close.earlier:
            yield from self._earlier(earlier)
        for model in self._portfolio.signalling(close.bars):
            logged = close.signals.get(model.name) or close.late.get(model.name)
            used = model.name in close.signals
            yield from self._differences(model, close.bars[model.universe], logged, used)
        for one in close.bars.values():
            self._recent[one.noun.universe].append(one.noun)
        if (chapter := self._begins.get(close.close_time)) is not None:
            self._begin(chapter)

    def _earlier(self, earlier: EarlierClose) -> Iterator[Difference]:
        """A close whose bars came late: what models make of it no decision uses."""
        section = earlier.bars.noun
        for model in self._portfolio.signalling([section.universe]):
            logged = earlier.signals.get(model.name)
            yield from self._differences(model, earlier.bars, logged, False)
        self._recent[section.universe].append(section)

    def _all_strategies(self) -> Iterator[Strategy]:
        yield from self._strategies.values()
        for chapter in self._begins.values():
            if self._brings(chapter):
                yield from chapter.strategies().values()

    def _brings(self, chapter: LoggedChapter) -> bool:
        """Whether it names a strategy that is not known yet."""
        names = {model.name for model in chapter.portfolio.active}
        return bool(chapter.renewed) or not names <= self._strategies.keys()

    def _begin(self, chapter: LoggedChapter) -> None:
        """Models that a chapter adds, that have another strategy there or whose universe has other
        symbols, begin after its warm-up, and the others with their memory, as in the strategy
        service.
        """
        self._portfolio = portfolio = chapter.portfolio
        carried = chapter.noun.carried
        if self._brings(chapter):
            self._strategies |= chapter.strategies()
        self._before |= chapter.before
        for name, sections in chapter.before.items():
            self._recent[name].clear()
            self._recent[name].extend(logged.noun for logged in sections)
        for model in portfolio.active:
            is_known = model.name in self._models and model.name not in chapter.renewed
            if not is_known or model.universe in chapter.before:
                self._unused.pop(model.name, None)
                self._begin_model(model, chapter)
            elif carried is not None and (own := carried.model(model.name)) is not None:
                self._models[model.name].hold(own)
                self._models[model.name].remember(self._unused.get(model.name, ()))

    def _recall(
        self,
        model: ModelAllocation,
        begins: LoggedChapter,
        warmup: Sequence[Logged[ClosedBars]],
    ) -> None:
        """A model as it was at the beginning of the log's first chapter: its memory after the
        newest signals that were used, and what it made of the bars since.
        """
        live, carried = self._models[model.name], begins.noun.carried
        assert carried is not None  # or the log would be read from its beginning
        universe = begins.portfolio.universe(model.universe)
        own = carried.model(model.name)
        is_new = begins_anew(begins.portfolio, universe, carried)
        until = own.close_time if own and not is_new else carried.bars_until(universe.name)
        if not is_new and bars_lane(begins.portfolio, universe) not in carried.sequences:
            until = 0  # no close was used of it yet, so the whole of its bars is still to be read
        sections = [logged.noun for logged in warmup]
        before = [section for section in sections if section.close_time <= until]
        for section in before[-self._strategies[model.name].history :]:
            live.observe(section)
        if own is not None:
            goes_on = not is_new and len(own.state) == len(live.state)
            (live.begin if goes_on else live.hold)(own)
        for section in sections[len(before) :]:
            live.observe(section)
            rows = live.rows()
            if section.close_time >= self._start:
                self._note_use(model.name, False, rows)
                live.remember(rows)

    def _begin_model(self, model: ModelAllocation, chapter: LoggedChapter) -> None:
        strategy, carried = self._strategies[model.name], chapter.noun.carried
        universe = chapter.portfolio.universe(model.universe)
        live = self._models[model.name] = LiveModel(strategy, universe.symbols)
        lane = bars_lane(chapter.portfolio, universe)
        is_used = carried is not None and lane in carried.sequences
        if not is_used and not begins_anew(chapter.portfolio, universe, carried):
            # No close was used of it yet, so the whole of its bars is still to be read.
            for logged in self._before[universe.name]:
                live.observe(logged.noun)
                live.rows()
            return
        if carried is not None and (own := carried.model(model.name)) is not None:
            live.hold(own)
        for section in list(self._recent[universe.name])[-strategy.history :]:
            live.observe(section)

    def _differences(
        self,
        model: ModelAllocation,
        bars: Logged[ClosedBars],
        logged: Logged[Signals] | None,
        used: bool,
    ) -> Iterator[Difference]:
        """How a model's signals at one close differ. logged : None where they are not there. used :
        by a decision.
        """
        live = self._models[model.name]
        live.observe(bars.noun)
        rows = live.rows()
        self._note_use(model.name, used, rows if logged is None else logged.noun.rows)
        if logged is None:
            # Nobody waited for it, so the model may have gone on in the next chapter.
            live.remember(rows)
            return
        replayed = self._replayed(model.name, logged.noun.chapter, bars, rows, live)
        for gap in gaps(logged.noun, replayed):
            yield Difference(
                noun="signals",
                close_time=bars.noun.close_time,
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

    def _note_use(self, model: str, used: bool, rows: tuple[SignalRow, ...]) -> None:
        """The last known rows since those that a decision used, which no chapter carries."""
        if used:
            self._unused.pop(model, None)
            return
        pairs = zip(self._unused.get(model, rows), rows, strict=True)
        known = (new if new.weight == new.weight else old for old, new in pairs)
        self._unused[model] = tuple(known)

    def _replayed(
        self,
        name: str,
        chapter: int,
        bars: Logged[ClosedBars],
        rows: tuple[SignalRow, ...],
        live: LiveModel,
    ) -> Signals:
        version = self._strategies[name].version
        parts = (self._portfolio.name, name, version, bars.noun.close_time)
        # That the chapter is the one which the close belongs to was seen when the log was read.
        return Signals(*parts, rows, live.state, bars.id, chapter)


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
