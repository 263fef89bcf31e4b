from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from stratvector.market import Bars, BarStore, Loaded, Scheduled, load_universe, schedule
from stratvector.market.alignment import OffSchedule
from stratvector.market.calendars import calendar
from stratvector.market.instants import first_instant
from stratvector.market.universes import NoBarsInRange
from stratvector.trading.bad_bars import UnknownSymbol
from stratvector.trading.instruments import Instrument
from stratvector.trading.portfolio import Account, Portfolio, Universe
from stratvector.trading.quality import DoubtfulBars
from stratvector.trading.timestamps import utc_text


def equities(start: str, end: str, warmup: int = 0, source: str = "sample") -> Scheduled:
    return load_universe("us", ["NVDA", "AAPL"], "1D", "XNYS", source, start, end, warmup)


def test_the_warm_up_counts_scheduled_closes_before_the_first_that_may_trade() -> None:
    found = equities("2018-01-01", "2018-01-05", warmup=2)
    assert found.bars.symbols == ("NVDA", "AAPL")
    assert [utc_text(time)[:10] for time in found.bars.close_times.tolist()] == [
        "2017-12-28", "2017-12-29", "2018-01-02", "2018-01-03", "2018-01-04", "2018-01-05",
    ]  # fmt: skip
    assert found.warmup_closes == 2
    assert found.provenance.adjusted


def test_each_bar_carries_when_it_opened() -> None:
    stocks = equities("2019-07-03", "2019-07-05", warmup=1)
    assert [utc_text(time) for time in stocks.open_times.tolist()] == [
        "2019-07-02T13:30:00Z",
        "2019-07-03T13:30:00Z",
        "2019-07-05T13:30:00Z",
    ]
    coins = load_universe("crypto", ["BTC-USD"], "4H", "24/7", "sample", "2018-03-01", "2018-03-02")
    assert coins.open_times[1:].tolist() == coins.bars.close_times[:-1].tolist()


def test_there_is_less_warm_up_when_the_bars_begin_later() -> None:
    found = equities("2013-01-04", "2013-01-10", warmup=200)
    assert found.warmup_closes == 2
    assert utc_text(int(found.bars.close_times[0])) == "2013-01-02T21:00:00Z"


def test_scheduled_closes_outside_the_source_are_missing_and_told() -> None:
    found = load_universe(
        "crypto", ["ETH-USD"], "H4", "24/7", "sample", "2017-09-30T12:00Z", "2017-10-01", 50
    )
    assert found.warmup_closes == 0
    assert np.isnan(found.bars.close[:, 0]).tolist() == [True] * 4 + [False] * 6
    (begin,) = found.caveats
    assert str(begin) == "crypto: bars begin at 2017-10-01T04:00:00Z, 4 closes after start."
    assert (begin.code, begin.subject, begin.count) == ("late_begin", "crypto", 4)
    late = load_universe("crypto", ["BTC-USD"], "4H", "24/7", "sample", "2019-09-30", "2019-10-01")
    (end,) = late.caveats
    assert str(end) == "crypto: bars end at 2019-10-01T00:00:00Z, 6 closes before end."
    assert (end.code, end.subject, end.count) == ("early_end", "crypto", 6)


def test_an_end_that_is_a_date_includes_the_close_that_ends_the_day() -> None:
    found = load_universe("crypto", ["BTC-USD"], "4H", "24/7", "sample", "2018-03-01", "2018-03-01")
    assert utc_text(int(found.bars.close_times[0])) == "2018-03-01T00:00:00Z"
    assert utc_text(int(found.bars.close_times[-1])) == "2018-03-02T00:00:00Z"


def test_the_store_and_a_file_give_the_same_bars_as_the_source(tmp_path: Path) -> None:
    whole = equities("2018-01-01", "2018-12-31")
    BarStore(tmp_path).write("us", "1D", whole)
    stored = equities("2018-02-01", "2018-02-28", 5, source=f"store:{tmp_path}")
    direct = equities("2018-02-01", "2018-02-28", 5)
    assert stored.bars.close.tolist() == direct.bars.close.tolist()
    assert stored.warmup_closes == direct.warmup_closes == 5
    assert stored.provenance.adjusted

    path = tmp_path / "bars.csv"
    lines = ["timestamp,symbol,open,high,low,close,volume"]
    for row, time in enumerate(whole.bars.close_times.tolist()):
        for column, symbol in enumerate(whole.bars.symbols):
            values = (
                repr(float(getattr(whole.bars, name)[row, column]))
                for name in ("open", "high", "low", "close", "volume")
            )
            lines.append(",".join([utc_text(time), symbol, *values]))
    path.write_text("\n".join(lines) + "\n")
    from_file = equities("2018-02-01", "2018-02-28", 5, source=str(path))
    assert from_file.bars.close.tolist() == direct.bars.close.tolist()
    with pytest.raises(UnknownSymbol, match="there are no bars of 'SPY'"):
        load_universe("us", ["SPY"], "1D", "XNYS", str(path), "2018-02-01", "2018-02-28")


def test_every_load_asks_whether_the_bars_are_doubtful(tmp_path: Path) -> None:
    whole = equities("2014-01-01", "2014-12-31")
    assert equities("2014-01-01", "2014-12-31").caveats == ()
    unadjusted = {n: getattr(whole.bars, n).copy() for n in ("open", "high", "low", "close")}
    split = int(np.searchsorted(whole.bars.close_times, first_instant("2014-06-09")))
    for values in unadjusted.values():
        values[:split, 1] *= 7
        values[100] = np.nan
    volume = whole.bars.volume.copy()
    volume[100] = np.nan
    bars = Bars(whole.bars.symbols, whole.bars.close_times, **unadjusted, volume=volume)
    BarStore(tmp_path).write("us", "1D", Loaded(bars, whole.provenance))
    ends = "2014-01-01", "2014-12-31"
    store = f"store:{tmp_path}"
    sessions, jump = load_universe("us", ["NVDA", "AAPL"], "1D", "XNYS", store, *ends).caveats
    assert (sessions.code, sessions.subject, sessions.count) == ("missing_sessions", "us", 1)
    assert (jump.code, jump.subject, jump.count) == ("split_like_jump", "AAPL", 1)
    assert "2014-06-09T20:00:00Z, like a 7:1 split" in jump.sentence
    with pytest.raises(DoubtfulBars, match="us: no symbol has a bar at 1 close"):
        load_universe("us", ["NVDA", "AAPL"], "1D", "XNYS", store, *ends, strict=True)


def test_half_hours_that_nobody_recorded_are_told_of_coarser_sample_bars() -> None:
    coins = load_universe("c", ["ETH-USD"], "4H", "24/7", "sample", "2018-03-01", "2018-03-02")
    (note,) = coins.provenance.caveats()
    assert "of 35,040 half-hours of the sample, nothing is recorded in 30 of ETH-USD" in str(note)


def test_a_range_without_any_bar_is_refused_with_what_there_is() -> None:
    with pytest.raises(NoBarsInRange, match="its bars run from 2013-01-02T21:00:00Z to 2023-09-21"):
        equities("2025-01-01", "2025-12-31")


def test_bars_that_close_when_their_calendar_does_not_are_refused() -> None:
    with pytest.raises(OffSchedule, match=r"BTC-USD has a bar at 2018-02-28T20:00:00Z \(and"):
        load_universe("x", ["BTC-USD"], "4H", "XNYS", "sample", "2018-02-28", "2018-03-02")


def test_every_row_is_a_scheduled_close() -> None:
    found = equities("2019-01-01", "2019-12-31", warmup=10)
    scheduled = calendar("XNYS").closes(
        int(found.bars.close_times[0]), first_instant("2020-01-01"), "1D"
    )
    assert found.bars.close_times.tolist() == scheduled.tolist()


def portfolio(*universes: Universe) -> Portfolio:
    return Portfolio("main", (Account("paper", Decimal(100_000)),), universes, ())


def test_a_portfolio_steps_at_the_distinct_closes_of_its_universes() -> None:
    stocks = Universe("us", "1D", "XNYS", (Instrument("AAPL", "AAPL", "equity"),))
    coins = Universe("crypto", "4H", "24/7", (Instrument("BTC-USD", "BTC", "crypto"),))
    steps = schedule(portfolio(stocks, coins), "2019-07-03", "2019-07-05")
    both = [time for time in range(len(steps)) if len(steps.universes_at(time)) == 2]
    assert steps.universes == ("us", "crypto")
    assert [utc_text(time) for time in steps.closes_of("us").tolist()] == [
        "2019-07-03T17:00:00Z",
        "2019-07-05T20:00:00Z",
    ]
    assert len(steps.closes_of("crypto")) == 3 * 6 + 1
    assert [utc_text(int(steps.close_times[row])) for row in both] == ["2019-07-05T20:00:00Z"]


def test_loaded_bars_close_exactly_when_the_schedule_says() -> None:
    coins = Universe("crypto", "H4", "24/7", (Instrument("BTC-USD", "BTC", "crypto"),))
    ends = "2018-05-01", "2018-05-31"
    steps = schedule(portfolio(coins), *ends)
    found = load_universe("crypto", coins.symbols, "H4", "24/7", "sample", *ends, 30)
    assert found.bars.close_times[30:].tolist() == steps.closes_of("crypto").tolist()
