"""Sessions that are changed while they run, and who applies them one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stratvector.runtime.applying import apply
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.chapters import newest_chapter
from stratvector.runtime.documents import Documents, Wish
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.trading.bars import FIELDS, Bars
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.roles import MANUAL
from stratvector.trading.session import Session
from stratvector.trading.strategy import Strategy


@dataclass
class Applying:
    """Applies changed sessions one after the other, and notes what came of each. applied : how many
    so far, which outlives a crash. patience_seconds : how long each is waited for until it holds.
    """

    wishes: Sequence[Wish]
    pause_seconds: float
    refusals: list[str]
    applied: int = 0
    patience_seconds: float = 0.0

    def __call__(self, ports: Ports) -> Tasks:
        return Tasks([self.run(ports)])

    async def run(self, ports: Ports) -> None:
        assert ports.documents is not None
        documents = Documents(ports.documents)
        while self.applied < len(self.wishes):
            await ports.clock.sleep(self.pause_seconds)
            try:
                await apply(ports.bus, documents, self.wishes[self.applied])
            except OtherChapter as error:
                self.refusals.append(str(error))
            await self._wait(ports, self.wishes[self.applied])
            self.applied += 1

    async def _wait(self, ports: Ports, wish: Wish) -> None:
        deadline = ports.clock.monotonic_seconds() + self.patience_seconds
        while ports.clock.monotonic_seconds() < deadline:
            standing = await newest_chapter(ports.bus, wish.run, wish.portfolio)
            if standing is not None and standing.chapter.document == wish.document:
                return
            await ports.clock.sleep(self.pause_seconds)


def with_model(
    session: Session, model: ModelAllocation, strategy: Strategy, place: int = 0
) -> Session:
    """One more model, anywhere among the others."""
    models = [*session.portfolio.models]
    models.insert(place, model)
    portfolio = replace(session.portfolio, models=tuple(models))
    return replace(
        session, portfolio=portfolio, strategies={**session.strategies, model.name: strategy}
    )


def with_strategy(session: Session, name: str, strategy: Strategy) -> Session:
    """A model with another strategy under its name."""
    return replace(session, strategies={**session.strategies, name: strategy})


def with_symbol(session: Session, universe: str, symbol: str, place: int = 0) -> Session:
    """One more symbol, anywhere among those of a universe. Its prices are a function of its name,
    and one bar in ten is missing.
    """
    portfolio, history = session.portfolio, session.histories[universe]
    of = portfolio.universe(universe)
    added = replace(of.instruments[0], symbol=symbol, asset=f"asset of {symbol}")
    instruments = [*of.instruments]
    instruments.insert(place, added)
    universes = tuple(
        replace(one, instruments=tuple(instruments)) if one.name == universe else one
        for one in portfolio.universes
    )
    bars, columns = history.bars, _columns(symbol, len(history.bars))
    values = {name: np.insert(getattr(bars, name), place, columns[name], axis=1) for name in FIELDS}
    more = Bars(tuple(one.symbol for one in instruments), bars.close_times, **values)
    return replace(
        session,
        portfolio=replace(portfolio, universes=universes),
        histories={**session.histories, universe: replace(history, bars=more)},
    )


def _columns(symbol: str, count: int) -> dict[str, NDArray[np.float64]]:
    random = np.random.default_rng(list(symbol.encode()))
    close = random.uniform(20, 200) * np.exp(np.cumsum(random.normal(0, 0.02, count)))
    opened = close * np.exp(random.normal(0, 0.01, count))
    values = {
        "open": opened,
        "high": np.maximum(opened, close) * 1.001,
        "low": np.minimum(opened, close) * 0.999,
        "close": close,
        "volume": random.uniform(100, 5_000, count).round(),
    }
    missing = random.random(count) < 0.1
    return {name: np.where(missing, np.nan, column) for name, column in values.items()}


def without_model(session: Session, name: str) -> Session:
    """All but one."""
    models = tuple(one for one in session.portfolio.models if one.name != name)
    strategies = {one: s for one, s in session.strategies.items() if one != name}
    portfolio = replace(session.portfolio, models=models)
    return replace(session, portfolio=portfolio, strategies=strategies)


def keeping(session: Session, name: str) -> Session:
    """Without a model, whose lots `manual` keeps."""
    return with_fate(without_model(session, name), name, MANUAL)


def with_fate(session: Session, name: str, fate: str) -> Session:
    """What becomes of what a removed model holds, or `manual`."""
    portfolio = session.portfolio
    fates = {**portfolio.on_removal, name: fate}
    return replace(session, portfolio=replace(portfolio, on_removal=fates))


def without_symbol(session: Session, symbol: str) -> Session:
    """All but one, of a universe that has others."""
    portfolio, histories = session.portfolio, dict(session.histories)
    universes = list(portfolio.universes)
    for n, universe in enumerate(universes):
        if symbol not in universe.symbols:
            continue
        stay = [place for place, one in enumerate(universe.symbols) if one != symbol]
        instruments = tuple(universe.instruments[place] for place in stay)
        universes[n] = replace(universe, instruments=instruments)
        history = histories[universe.name]
        bars = history.bars
        values = {name: getattr(bars, name)[:, stay].copy() for name in FIELDS}
        fewer = Bars(universes[n].symbols, bars.close_times, **values)
        histories[universe.name] = replace(history, bars=fewer)
    changed = replace(portfolio, universes=tuple(universes))
    return replace(session, portfolio=changed, histories=histories)


def without_universe(session: Session, name: str) -> Session:
    """All but one, and without the models over it."""
    for model in session.portfolio.models:
        if model.universe == name:
            session = without_model(session, model.name)
    portfolio, histories = session.portfolio, dict(session.histories)
    del histories[name]
    stay = tuple(one for one in portfolio.universes if one.name != name)
    there = {one.asset_class for universe in stay for one in universe.instruments}
    caps = portfolio.limits.class_caps
    limits = replace(portfolio.limits, class_caps={c: caps[c] for c in caps if c in there})
    changed = replace(portfolio, universes=stay, limits=limits)
    return replace(session, portfolio=changed, histories=histories)


def with_universe(
    session: Session, other: Session, name: str, models: Mapping[str, Strategy], place: int = 0
) -> Session:
    """One more universe, which another session has, anywhere among those of its account; and models
    over it.
    """
    portfolio, universe = session.portfolio, other.portfolio.universe(name)
    universes = [*portfolio.universes]
    ours = [n for n, one in enumerate(universes) if one.account == universe.account]
    universes.insert(min(ours[0] + place, ours[-1] + 1), universe)
    session = replace(
        session,
        portfolio=replace(portfolio, universes=tuple(universes)),
        histories={**session.histories, name: other.histories[name]},
    )
    for model, strategy in models.items():
        session = with_model(session, ModelAllocation(model, name, 0.4), strategy)
    return session
