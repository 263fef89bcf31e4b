"""From configuration to a session: bars on their calendars, strategies, and their caveats."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratvector.config.bad_config import BadConfig, BadValue, UnusableData
from stratvector.config.benchmark import configured_benchmark
from stratvector.config.configuration import (
    Configuration,
    TradedModel,
    hash_of,
    read_configuration,
)
from stratvector.config.session_range import session_range
from stratvector.config.universes import UniverseEntry
from stratvector.trading.runs import REPLAY

if TYPE_CHECKING:
    from stratvector.market import Scheduled
    from stratvector.market.bars_source import BarsSource
    from stratvector.trading.portfolio import Account, Portfolio, Universe
    from stratvector.trading.session import Session
    from stratvector.trading.strategy import Strategy

RUN_DIGITS = 8  # so many of a configuration's hash name its replay


def load_session(
    config_path: str | Path,
    start: str | None = None,
    end: str | None = None,
    data: str | None = None,
) -> "Session":
    """The session that a configuration describes. Raises BadConfig; see `session_of`."""
    return session_of(read_configuration(config_path), start, end, data)


def session_of(
    configuration: Configuration,
    start: str | None = None,
    end: str | None = None,
    data: str | None = None,
) -> "Session":
    """Bars and strategies of a configuration.

    start, end : instead of the configured ones. data : a file, folder or pattern with the bars of
    every universe, instead of the configured sources; it is read without their keys.
    Raises BadConfig.
    """
    from stratvector.trading.caveats import Caveat
    from stratvector.trading.price_grids import price_grids
    from stratvector.trading.session import History, Session

    system = configuration.system.system
    first, last = session_range(configuration, start, end)
    strategies = strategies_of(configuration)
    digits = hash_of(_with_sources(configuration, strategies))[:RUN_DIGITS]
    portfolio = portfolio_of(configuration, f"{REPLAY}.{digits}")
    histories: dict[str, History] = {}
    universes: list[Universe] = []
    caveats: list[Caveat] = []
    for universe in portfolio.universes:
        warmup = warmup_closes(configuration, strategies, universe.name)
        asked = _source(configuration, universe, data, (first, last), warmup)
        loaded = _loaded(configuration, asked)
        provenance = loaded.provenance
        histories[universe.name] = History(
            loaded.bars,
            loaded.open_times,
            provenance.adjusted,
            provenance.source,
            asked.document(),
        )
        with blaming(configuration.universes_path, f"universes.{universe.name}"):
            instruments, coarse = price_grids(universe.instruments, loaded.bars)
        universes.append(replace(universe, instruments=instruments))
        caveats += (*provenance.caveats(), *loaded.caveats, *coarse)
    portfolio = replace(portfolio, universes=tuple(universes))
    return Session(
        portfolio,
        first,
        histories,
        strategies,
        tuple(caveats),
        configured_benchmark(configuration, histories, (first, last)),
        system.risk_free_rate,
    )


def strategies_of(configuration: Configuration) -> dict[str, "Strategy"]:
    """The strategy of each traded model. Raises BadConfig."""
    return {m.entry.name: _strategy(configuration, m) for m in configuration.traded}


def warmup_closes(
    configuration: Configuration, strategies: Mapping[str, "Strategy"], universe: str
) -> int:
    """Closes before the first that trades which the universe's models need, the longest counts; of
    a run that goes on, those that it began with.
    """
    if universe in configuration.began:
        return configuration.began[universe]
    return max(
        strategies[m.entry.name].history - 1
        for m in configuration.traded
        if m.settings.universe == universe
    )


def provenance(configuration: Configuration, session: "Session") -> dict[str, Any]:
    """What a result says about its inputs: hashes, sources, the effective configuration.

    config_hash covers every value of the configuration, the source of each strategy that it names
    by file or module, and the range; data_hash every bar and the configured benchmark's prices.
    """
    from stratvector.trading.engine.compiling import engine_hash
    from stratvector.trading.timestamps import utc_text

    ran = _with_sources(configuration, session.strategies) | {"start": utc_text(session.start)}
    for universe in session.portfolio.universes:
        document = ran["universes"][universe.name]
        if not isinstance(document["price_precision"], int):
            document["price_precision"] = {i.symbol: i.decimals for i in universe.instruments}
    return {
        "config_hash": hash_of(ran),
        "data_hash": _data_hash(session),
        "engine_hash": engine_hash(),
        "sources": {name: history.source for name, history in session.histories.items()},
        "config": ran,
    }


def _with_sources(
    configuration: Configuration, strategies: Mapping[str, "Strategy"]
) -> dict[str, Any]:
    """The effective configuration; a model whose strategy is named says the hash of its source."""
    from stratvector.runtime.source_hash import source_hash

    effective = configuration.effective()
    for model in effective["models"]:
        if "strategy" in model:
            model["source"] = source_hash(type(strategies[model["name"]]))
    return effective


def _data_hash(session: "Session") -> str:
    """SHA-256 over every bar, warm-up included, and when each opened and closed."""
    from stratvector.trading.bars import FIELDS

    digest = hashlib.sha256()
    for name, history in session.histories.items():
        bars = history.bars
        digest.update("\x1f".join((name, *bars.symbols)).encode())
        for array in (bars.close_times, history.open_times):
            digest.update(array.tobytes())
        for field in FIELDS:
            # Adding zero makes -0.0 and 0.0 one.
            digest.update((getattr(bars, field) + 0.0).tobytes())
    if (benchmark := session.benchmark) is not None:
        digest.update(benchmark.name.encode())
        digest.update(benchmark.close_times.tobytes() + benchmark.prices.tobytes())
    return digest.hexdigest()


def portfolio_of(configuration: Configuration, run: str) -> "Portfolio":
    """The portfolio in a run; price grids that bars decide are still open. Raises BadConfig."""
    from stratvector.trading.portfolio import ModelAllocation, Portfolio

    system = configuration.system
    universes = tuple(
        _universe(configuration, name, entry)
        for name, entry in configuration.traded_universes.items()
    )
    allocations = tuple(
        ModelAllocation(m.entry.name, m.settings.universe, m.entry.budget_fraction)
        for m in configuration.traded
    )
    with blaming(configuration.path):
        return Portfolio(
            system.system.portfolio,
            _accounts(configuration),
            universes,
            allocations,
            configuration.risk.limits({i.asset_class for u in universes for i in u.instruments}),
            system.costs.costs(),
            run,
            system.on_removal,
        )


def _accounts(configuration: Configuration) -> "tuple[Account, ...]":
    from stratvector.trading.portfolio import Account

    system = configuration.system
    if not system.accounts:
        return (Account(system.system.account, system.system.backtest_initial_nav),)
    return tuple(Account(name, one.initial_cash) for name, one in system.accounts.items())


def _universe(configuration: Configuration, name: str, entry: UniverseEntry) -> "Universe":
    from stratvector.market.timeframes import timeframe
    from stratvector.trading.portfolio import Universe

    given = entry.timeframe
    path = configuration.universes_path if given else configuration.path
    with blaming(path, f"universes.{name}.timeframe" if given else "system.timeframe"):
        step = timeframe(given or configuration.system.system.timeframe)
    with blaming(configuration.universes_path, f"universes.{name}"):
        account = configuration.account_of.get(name, "")
        return Universe(name, step.name, entry.calendar, entry.instruments(), account=account)


def _strategy(configuration: Configuration, model: TradedModel) -> "Strategy":
    from stratvector.market import calendar

    universe = configuration.traded_universes[model.settings.universe]
    timeframe = universe.timeframe or configuration.system.system.timeframe
    with blaming(configuration.universes_path, f"universes.{model.settings.universe}"):
        bars_per_day = calendar(universe.calendar).bars_per_day(timeframe)
    name, version = model.entry.name, model.entry.version
    with blaming(configuration.models_path, f"models.{name}"):
        strategy = _created(configuration, model, bars_per_day)
    if version is not None and version != strategy.version:
        key = f"models[{model.index}].version"
        rule = f"the installed {name} is {strategy.version}"
        raise BadValue(configuration.path, key, version, rule)
    return strategy


def _created(configuration: Configuration, model: TradedModel, bars_per_day: int) -> "Strategy":
    """The strategy that a model names, or the one that is registered under its name."""
    from stratvector.strategies import MODELS, create
    from stratvector.strategies.naming import create_named

    name, settings = model.entry.name, model.settings
    if settings.strategy is None or settings.strategy == name:
        return create(name, settings.parameters, bars_per_day)
    if name in MODELS:
        key, rule = f"models.{name}.strategy", f"{name} is a registered model; name yours otherwise"
        raise BadValue(configuration.models_path, key, settings.strategy, rule)
    beside = configuration.models_path.parent
    return create_named(settings.strategy, settings.parameters, bars_per_day, beside)


def _source(
    configuration: Configuration,
    universe: "Universe",
    data: str | None,
    ends: tuple[int, int],
    warmup: int,
) -> "BarsSource":
    from stratvector.market.bars_source import BarsSource

    session, entry = configuration.system.session, configuration.traded_universes[universe.name]
    with _unusable(configuration, universe.name, data or entry.source):
        return BarsSource(
            universe.name,
            universe.symbols,
            universe.timeframe,
            universe.calendar,
            data or entry.source,
            *ends,
            warmup,
            session is not None and session.data_quality == "strict",
            None if data else entry.reading(universe.timeframe),
        )


def _loaded(configuration: Configuration, asked: "BarsSource") -> "Scheduled":
    with _unusable(configuration, asked.universe, asked.source):
        return asked.load()


@contextmanager
def _unusable(configuration: Configuration, universe: str, source: str) -> Iterator[None]:
    """Say which universe it is whose bars can't be loaded. Raises UnusableData."""
    from stratvector.market.sources.sample import SampleUnavailable

    try:
        yield
    except (ValueError, SampleUnavailable) as error:
        path = configuration.universes_path
        raise UnusableData(path, universe, source, str(error)) from error


@contextmanager
def blaming(path: Path, key: str = "") -> Iterator[None]:
    """Put file and key before a part's own sentence."""
    try:
        yield
    except BadConfig:
        raise
    except ValueError as error:
        raise BadConfig(f"{path}: {key + ': ' if key else ''}{error}") from error
