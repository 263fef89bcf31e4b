"""Bars from the frames that users really have: pandas and polars."""

from typing import Any

import pandas as pd
import polars as pl
import pytest

from stratvector.market import Bars
from stratvector.trading.bad_bars import BadBars, BadPrice, NotUtcTime

TIMES = pd.date_range("2020-01-02 21:00", periods=3, freq="D", tz="UTC")
EXPECTED = TIMES.as_unit("ns").asi8.tolist()


def pandas_frame(**changed: Any) -> pd.DataFrame:
    columns = {"timestamp": TIMES, "symbol": "A", "open": 1.0, "high": 2, "low": 1, "close": 2.0}
    return pd.DataFrame(columns | {"volume": [5, 0, 7]} | changed)


def polars_frame(**changed: Any) -> pl.DataFrame:
    data = pandas_frame().drop(columns=["timestamp", "symbol"]).to_dict("list")
    times = pl.Series(TIMES.to_pydatetime().tolist())
    return pl.DataFrame({"timestamp": times, "symbol": ["A"] * 3} | data).with_columns(**changed)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_pandas_frame_of_any_time_unit_is_read(unit: str) -> None:
    stamps = TIMES.as_unit(unit)
    for given in (stamps, stamps.tz_localize(None)):
        bars = Bars.from_frame(pandas_frame(timestamp=given))
        assert bars.close_times.tolist() == EXPECTED
        assert bars.volume[:, 0].tolist() == [5.0, 0.0, 7.0]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_polars_frame_of_any_time_unit_is_read(unit: Any) -> None:
    aware = polars_frame(timestamp=pl.col("timestamp").dt.cast_time_unit(unit))
    naive = aware.with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    numbers = polars_frame(timestamp=pl.col("timestamp").dt.epoch("ns"))
    for given in (aware, naive, numbers):
        assert Bars.from_frame(given).close_times.tolist() == EXPECTED


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (pandas_frame(timestamp=TIMES.tz_convert("America/New_York")), NotUtcTime),
        (pandas_frame(timestamp=TIMES.astype(str)), NotUtcTime),
        (pandas_frame(timestamp=[*TIMES[:2], pd.NaT]), NotUtcTime),
        (
            polars_frame(timestamp=pl.col("timestamp").dt.convert_time_zone("Asia/Tokyo")),
            NotUtcTime,
        ),
        (polars_frame(timestamp=pl.col("timestamp").dt.epoch("ms")), NotUtcTime),
        (pandas_frame(close=[1.0, None, 2.0]), BadPrice),
        (polars_frame(low=pl.lit(None)), BadPrice),
    ],
)
def test_a_frame_that_breaks_a_rule_is_refused(frame: Any, kind: type[BadBars]) -> None:
    with pytest.raises(kind):
        Bars.from_frame(frame)
