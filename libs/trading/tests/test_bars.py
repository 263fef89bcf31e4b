import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.trading.bad_bars import (
    AmbiguousColumn,
    BadBars,
    BadPrice,
    BadShape,
    BadSymbol,
    BadVolume,
    DuplicateBar,
    EmptyBars,
    InconsistentRange,
    MissingColumn,
    NotNumeric,
    NotUtcTime,
    UnknownClose,
    UnknownSymbol,
    UnorderedCloses,
)
from stratvector.trading.bars import FIELDS, Bars, ClosedBars

NOON = datetime(2020, 1, 2, 12, tzinfo=UTC)
NOON_NS = 1_577_966_400_000_000_000


class Column:
    """The part of a pandas or polars column that bars read."""

    class Kind:
        def __init__(self, zone: str | None) -> None:
            self.time_zone = zone

    def __init__(self, values: Any, zone: str | None = None) -> None:
        self.values, self.dtype = values, self.Kind(zone)

    def to_numpy(self) -> Any:
        return np.asarray(self.values)


class Frame(dict[str, Column]):
    @property
    def columns(self) -> list[str]:
        return list(self)


def frame(**changed: Any) -> Frame:
    columns: dict[str, Any] = {
        "timestamp": [NOON, NOON + timedelta(hours=1)],
        "symbol": ["BTC", "BTC"],
        "open": [10.0, 11.0],
        "high": [12.0, 13.0],
        "low": [9.0, 10.0],
        "close": [11.0, 12.0],
        "volume": [100.0, 0.0],
    } | changed
    return Frame({name: Column(values) for name, values in columns.items()})


rows = st.lists(
    st.tuples(
        st.integers(NOON_NS, NOON_NS + 8),
        st.sampled_from(["A", "B", "C"]),
        st.lists(st.floats(0.01, 1e6), min_size=4, max_size=4),
        st.floats(0, 1e9),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda row: row[:2],
)


@given(rows, st.randoms())
def test_a_panel_holds_every_row_in_its_place_whatever_their_order(
    given_rows: list[tuple[int, str, list[float], float]], shuffle: Any
) -> None:
    shuffle.shuffle(given_rows)
    bars = Bars.from_columns(
        [row[0] for row in given_rows],
        [row[1] for row in given_rows],
        [row[2][0] for row in given_rows],
        [max(row[2]) for row in given_rows],
        [min(row[2]) for row in given_rows],
        [row[2][1] for row in given_rows],
        [row[3] for row in given_rows],
    )
    assert bars.symbols == tuple(sorted({row[1] for row in given_rows}))
    assert bars.close_times.tolist() == sorted({row[0] for row in given_rows})
    for time, symbol, prices, volume in given_rows:
        place = bars.at(time), bars.symbols.index(symbol)
        assert [getattr(bars, name)[place] for name in FIELDS] == [
            prices[0], max(prices), min(prices), prices[1], volume,
        ]  # fmt: skip
    for name in FIELDS:
        panel = getattr(bars, name)
        assert panel.flags.c_contiguous
        assert np.isnan(panel).sum() == panel.size - len(given_rows)


def test_a_row_of_five_missing_values_is_a_missing_bar() -> None:
    nan = [np.nan, 11.0]
    bars = Bars.from_frame(frame(open=nan, high=nan, low=nan, close=nan, volume=[None, 5]))
    assert np.isnan(bars.volume[0, 0])
    assert bars.volume[1, 0] == 5


@pytest.mark.parametrize(
    "stamps",
    [
        np.array([NOON_NS, NOON_NS + 3_600_000_000_000]),
        np.array(["2020-01-02T12", "2020-01-02T13"], dtype="datetime64[h]"),
        np.array(["2020-01-02T12:00:00", "2020-01-02T13:00:00"], dtype="datetime64[us]"),
        [NOON, NOON + timedelta(hours=1)],
    ],
)
def test_times_of_every_allowed_kind_become_utc_nanoseconds(stamps: Any) -> None:
    assert Bars.from_frame(frame(timestamp=stamps)).close_times.tolist() == [
        NOON_NS,
        NOON_NS + 3_600_000_000_000,
    ]


@pytest.mark.parametrize(
    ("stamps", "sentence"),
    [
        (["2020-01-02", "2020-01-03"], "'2020-01-02' is not a UTC time"),
        ([1.5, 2.5], "1.5 is not a UTC time"),
        ([NOON_NS, 1_577_966_400_000], "1577966400000 is not .* integers are nanoseconds"),
        (np.array([2**64 - 1, NOON_NS], dtype=np.uint64), "18446744073709551615 is not a UTC time"),
        ([-(2**62), NOON_NS], "times lie within the years 1850 to 2199"),
        (np.array([10**12, 1], dtype="datetime64[s]"), "'33658-09-27T01:46:40' is not a UTC time"),
        (np.array([10**15, 1], dtype="datetime64[ms]"), "times lie within the years"),
        (np.array([10**18, 1], dtype="datetime64[us]"), "times lie within the years"),
        (np.array(["9999-12-31", "2020-01-01"], dtype="datetime64[D]"), "'9999-12-31' is not"),
        (np.array(["0001-01-01", "2020-01-01"], dtype="datetime64[D]"), "'0001-01-01' is not"),
        (
            np.array([1_577_966_400, 1_577_966_460], dtype="datetime64[ns]"),
            "early 1970",
        ),
        (
            np.array(["1970-01-01", "2024-01-02"], dtype="datetime64[s]"),
            "early 1970, far",
        ),
        ([datetime(9999, 12, 31, tzinfo=UTC), NOON], "'9999-12-31T00:00:00.00:00' is not a UTC"),
        (np.zeros((2, 2), dtype="datetime64[ns]"), "it has 2 dimensions"),
        ([1_577_966_400, 1_577_966_401], "integers are nanoseconds"),
        ([1_577_966_400_000, 1_577_966_400_001], "integers are nanoseconds"),
        ([datetime(2020, 1, 2), datetime(2020, 1, 3)], "it has no zone"),  # noqa: DTZ001
        ([date(2020, 1, 2), NOON], "is not a UTC time"),
        ([NOON.astimezone(timezone(timedelta(hours=5)))] * 2, "its zone must be UTC"),
        (np.array(["NaT", "2020-01-01"], dtype="datetime64[ns]"), "every row needs its close"),
    ],
)
def test_a_time_whose_utc_instant_is_unknown_is_refused(stamps: Any, sentence: str) -> None:
    with pytest.raises((NotUtcTime, BadShape), match=sentence):
        Bars.from_frame(frame(timestamp=stamps))
    rest = (["BTC"] * 2, [10.0, 11], [12.0, 13], [9.0, 10], [11.0, 12], [100.0, 0])
    with pytest.raises((NotUtcTime, BadShape), match=sentence):
        Bars.from_columns(stamps, *rest)


def test_dates_of_early_1970_are_believed_beside_bars_of_the_years_around() -> None:
    for days in (["1969-12-31", "1970-01-02"], ["1970-03-01", "1970-05-01"], ["1970-01-05"] * 1):
        stamps = np.array(days, dtype="datetime64[D]")
        columns = [[value] * len(days) for value in ("A", 1.0, 1.0, 1.0, 1.0, 0.0)]
        bars = Bars.from_columns(stamps, *columns)
        assert bars.close_times.tolist() == stamps.astype("datetime64[ns]").astype(int).tolist()


def test_a_column_that_declares_another_zone_is_refused() -> None:
    given = frame()
    given["timestamp"] = Column([NOON_NS, NOON_NS + 1], zone="America/New_York")
    with pytest.raises(NotUtcTime, match="'America/New_York' is not a UTC time"):
        Bars.from_frame(given)


@pytest.mark.parametrize(
    ("changed", "kind", "sentence"),
    [
        ({"open": [10.0, -1.0]}, BadPrice, "BTC at 2020-01-02T13:00:00Z: open is -1.0"),
        ({"close": [11.0, np.inf]}, BadPrice, "close is inf"),
        ({"low": [0.0, 1.0]}, BadPrice, "low is 0.0"),
        ({"close": [11.0, np.nan]}, BadPrice, "a missing bar has all five values missing"),
        ({"volume": [100.0, -2.0]}, BadVolume, "volume is -2.0, but it must be"),
        ({"volume": [100.0, np.nan]}, BadVolume, "volume is nan"),
        ({"high": [11.5, 11.5]}, InconsistentRange, "high is 11.5 and close is 12.0"),
        ({"low": [10.5, 10.0]}, InconsistentRange, "low must be at most open"),
        ({"high": [8.0, 13.0]}, InconsistentRange, "high must be at least low"),
        ({"timestamp": [NOON, NOON]}, DuplicateBar, "BTC at 2020-01-02T12:00:00Z: there are two"),
        ({"open": ["10", "11"]}, NotNumeric, "open '10' is not a number"),
        ({"volume": [True, False]}, NotNumeric, "volume True is not a number"),
        ({"volume": [10**400, 1]}, NotNumeric, "volume of type int is not|volume 1000"),
        (
            {"volume": np.array([1, 2], dtype="timedelta64[s]")},
            NotNumeric,
            "volume .* not a number",
        ),
        ({"volume": [{"a": 1}, 2]}, NotNumeric, "volume {'a': 1} is not a number"),
        ({"symbol": ["BTC", "BTC "]}, BadSymbol, "'BTC ' is not a name: it differs from 'BTC' in"),
        ({"symbol": ["BTC", "B\nC"]}, BadSymbol, "is not a name"),
        ({"symbol": np.array(["BTC", 7], dtype=object)}, BadSymbol, "symbol 7 is not a name"),
        ({"Close": [11.0, 12.0]}, AmbiguousColumn, "close could be any of 'Close', 'close': drop"),
        ({"adj_close": [1.0, 2.0]}, AmbiguousColumn, "could be any of 'close', 'adj_close': drop"),
        ({"symbol": ["BTC", None]}, BadSymbol, "symbol None is not a name"),
        ({"symbol": ["BTC", " "]}, BadSymbol, "symbol ' ' is not a name"),
        ({"symbol": ["BTC"]}, BadShape, "symbol does not fit the panel: it has 1 rows"),
        ({name: [] for name in ("timestamp", "symbol", *FIELDS)}, EmptyBars, "there are no bars"),
    ],
)
def test_each_kind_of_bad_input_has_one_sentence_of_its_own(
    changed: dict[str, Any], kind: type[BadBars], sentence: str
) -> None:
    if changed.get("timestamp") == []:
        changed = changed | {"timestamp": np.array([], dtype=np.int64)}
    with pytest.raises(kind, match=sentence) as error:
        Bars.from_frame(frame(**changed))
    assert "\n" not in str(error.value)


def test_a_missing_column_is_named_beside_those_that_are_there() -> None:
    given = frame()
    del given["volume"]
    with pytest.raises(MissingColumn, match="column 'volume' is missing") as error:
        Bars.from_frame(given)
    assert error.value.column == "volume"
    assert error.value.present == ("timestamp", "symbol", "open", "high", "low", "close")


def test_names_are_found_without_regard_to_spaces_and_case_and_symbols_trimmed() -> None:
    given = Frame({f" {name.title()} ": column for name, column in frame().items()})
    bars = Bars.from_frame(given)
    assert bars.close[:, 0].tolist() == [11.0, 12.0]
    assert Bars.from_frame(frame(symbol=[" BTC", " BTC"])).symbols == ("BTC",)
    tickers = ["ON", "NO", "TRUE", "1E5", "NaN", "null", "NA", "007"]
    columns = [[value] * len(tickers) for value in (1.0, 1.0, 1.0, 1.0, 0.0)]
    read = Bars.from_columns([NOON_NS] * len(tickers), tickers, *columns)
    assert read.symbols == tuple(sorted(tickers))


def test_columns_that_are_not_plain_are_refused() -> None:
    good = [["A"], [1.0], [1.0], [1.0], [1.0], [1.0]]
    for at, column, odd in (
        (1, "open", [[1.0], [2.0, 3.0]]),
        (4, "close", [[1.0]]),
        (5, "volume", np.ma.masked_array([1.0], mask=[True])),
        (0, "symbol", [["A"]]),
    ):
        rest: list[Any] = list(good)
        rest[at] = odd
        with pytest.raises(BadShape, match=f"{column} does not fit the panel: it "):
            Bars.from_columns([NOON_NS], *rest)


def test_an_error_crosses_processes_with_its_fields() -> None:
    with pytest.raises(BadPrice) as caught:
        Bars.from_frame(frame(open=[10.0, -1.0]))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert (copy.symbol, copy.column, copy.value) == ("BTC", "open", -1.0)


def panel(closes: int = 3, symbols: tuple[str, ...] = ("A", "B")) -> Bars:
    values = np.arange(closes * len(symbols), dtype=np.float64).reshape(closes, -1) + 1
    close_times = np.arange(closes, dtype=np.int64) * 10
    return Bars(symbols, close_times, values, values, values, values, values)


def test_a_window_is_a_view_and_a_selection_keeps_the_asked_order() -> None:
    bars = panel()
    window = bars.window(1, 3)
    assert len(window) == 2
    assert np.shares_memory(window.close, bars.close)
    assert window.close.flags.c_contiguous
    chosen = bars.select(["B", "A"])
    assert chosen.symbols == ("B", "A")
    assert chosen.open.tolist() == bars.open[:, ::-1].tolist()
    assert bars.between(5, 10).close_times.tolist() == [10]
    assert len(bars.between(11, 5)) == 0


def test_a_close_or_symbol_that_is_not_there_is_refused_by_name() -> None:
    bars = panel()
    assert bars.at(20) == 2
    with pytest.raises(UnknownClose, match=r"closes at 1970-01-01T00:00:00\.000000011Z"):
        bars.at(11)
    with pytest.raises(UnknownClose):
        bars.at(21)
    with pytest.raises(UnknownSymbol, match="no bars of 'C': there are A, B"):
        bars.select(["C"])


def test_a_row_of_the_panel_travels_as_closed_bars() -> None:
    closed = panel().closed(1, "crypto", "4H", late=True)
    assert isinstance(closed, ClosedBars)
    assert (closed.universe, closed.timeframe, closed.close_time) == ("crypto", "4H", 10)
    assert closed.close.tolist() == [3.0, 4.0]
    assert closed.late


def test_arrays_that_do_not_fit_are_refused() -> None:
    good = panel()
    times, values = good.close_times, good.open
    with pytest.raises(BadShape, match=r"low does not fit the panel: it is float64 \(2, 2\)"):
        Bars(("A", "B"), times, values, values, values[:2], values, values)
    with pytest.raises(BadShape, match="must be float64"):
        Bars(("A", "B"), times, values.astype(np.float32), values, values, values, values)
    with pytest.raises(BadShape, match="C-contiguous"):
        Bars(("A", "B"), times, np.asfortranarray(values), values, values, values, values)
    with pytest.raises(BadShape, match="each symbol must be named once"):
        Bars(("A", "A"), times, values, values, values, values, values)
    with pytest.raises(UnorderedCloses, match="close times must strictly increase"):
        Bars(("A", "B"), times[::-1], values, values, values, values, values)
    with pytest.raises(BadShape, match="close_times"):
        Bars(("A", "B"), times.astype(float), values, values, values, values, values)
