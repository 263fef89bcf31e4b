"""Market data: sources, calendars, resampling, the Parquet store and data quality.

`read_bars` reads a user's file, `load_universe` gives the flow its scheduled bars and `schedule`
merges the close times of a portfolio's universes. Importing this costs numpy only: polars, pandas
and the exchanges' calendars load when they are first needed.
"""

from stratvector.market.bar_files import read_bars
from stratvector.market.calendars import calendar
from stratvector.market.provenance import Loaded, Provenance, Scheduled
from stratvector.market.resampling import resample
from stratvector.market.store import BarStore
from stratvector.market.universes import load_universe, schedule
from stratvector.trading.bad_bars import BadBars
from stratvector.trading.bars import Bars

__all__ = [
    "BadBars",
    "BarStore",
    "Bars",
    "Loaded",
    "Provenance",
    "Scheduled",
    "calendar",
    "load_universe",
    "read_bars",
    "resample",
    "schedule",
]
