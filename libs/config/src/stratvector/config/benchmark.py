"""`benchmark:` of system.yaml: a symbol of a configured universe, or a file of one symbol."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stratvector.config.bad_config import BadValue
from stratvector.config.configuration import Configuration
from stratvector.trading.nearest import suggestion

if TYPE_CHECKING:
    from stratvector.trading.bars import Bars
    from stratvector.trading.benchmark import Benchmark
    from stratvector.trading.session import History

FILES = (".csv", ".csv.gz", ".parquet")
DAY_NS = 86_400_000_000_000
LOOK_BACK_NS = 10 * DAY_NS  # the last price before a start on which the benchmark's market is shut


def configured_benchmark(
    configuration: Configuration, histories: Mapping[str, "History"], ends: tuple[int, int]
) -> "Benchmark | None":
    """The benchmark's price at the end of each day, None where none is configured.

    histories : bars of the traded universes, in which its symbol is looked for first.
    ends : first and last instant of the session, UTC ns. Raises BadValue.
    """
    from stratvector.trading.benchmark import benchmark_of, thinned

    name = configuration.system.system.benchmark
    if name is None:
        return None
    try:
        bars, symbol = _bars(configuration, name, histories, ends)
        bars = bars.between(ends[0] - LOOK_BACK_NS, ends[1])
        return thinned(benchmark_of(bars, symbol))
    except BadValue:
        raise
    except ValueError as error:
        raise _refused(configuration, name, str(error)) from error


def _bars(
    configuration: Configuration,
    name: str,
    histories: Mapping[str, "History"],
    ends: tuple[int, int],
) -> "tuple[Bars, str]":
    """Bars that hold the benchmark, and its symbol in them."""
    from stratvector.market import load_universe, read_bars
    from stratvector.market.sources.sample import SampleUnavailable
    from stratvector.market.timeframes import timeframe

    for history in histories.values():
        if name in history.bars.symbols:
            return history.bars, name
    for universe, entry in configuration.universes.universes.items():
        if name in entry.symbols:
            step = timeframe(entry.timeframe or configuration.system.system.timeframe).name
            try:
                loaded = load_universe(
                    universe, [name], step, entry.calendar, entry.source, *ends, warmup_closes=1
                )
            except SampleUnavailable as error:
                raise _refused(configuration, name, str(error)) from error
            return loaded.bars, name
    if not (name.endswith(FILES) or Path(name).is_file()):
        known = [s for u in configuration.universes.universes.values() for s in u.symbols]
        rule = "it must be a symbol of universes.yaml, or a CSV or Parquet file"
        raise _refused(configuration, name, f"{rule}; {suggestion(name, known)}")
    bars = read_bars(name)
    if len(bars.symbols) != 1:
        held = f"it holds {len(bars.symbols)} symbols"
        raise _refused(configuration, name, f"{held}; a benchmark's file has bars of one")
    return bars, bars.symbols[0]


def _refused(configuration: Configuration, name: str, rule: str) -> BadValue:
    return BadValue(configuration.path, "benchmark", name, rule)
