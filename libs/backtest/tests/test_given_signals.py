"""Backtest(bars, signals=...): weights that were computed before, checked against the bars."""

from typing import Any

import numpy as np
import pandas
import polars
import pytest

import stratvector.backtest
import stratvector.market
from stratvector.backtest import Backtest, BadSignals, Bars, Costs
from tests.sessions.buy_and_hold import DAY_NS, BuyAndHold

FREE = Costs(commission=0.0, slippage=0.0)
CLOSES = 6
TIMES = DAY_NS * np.arange(1, CLOSES + 1, dtype=np.int64)
STAMPS = pandas.to_datetime(TIMES, utc=True)


def two_symbols(missing: tuple[int, ...] = ()) -> Bars:
    close = np.array([[100.0 + t, 50.0 - t] for t in range(CLOSES)])
    close[list(missing), 0] = np.nan
    return Bars(("AAA", "BBB"), TIMES, close, close, close, close, close)


def weights(signals: Any, bars: Bars | None = None) -> list[list[float]]:
    """What the session trades by."""
    session = Backtest(bars or two_symbols(), signals=signals, costs=FREE).session
    given: list[list[float]] = session.weights[:, 0].tolist()
    return given


ARRAY = np.array([[0.0, 0.5], [0.25, 0.5], [0.25, 0.5], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])


def polars_frame(values: Any = ARRAY) -> polars.DataFrame:
    times = polars.Series(TIMES).cast(polars.Datetime("ns", "UTC"))
    return polars.DataFrame({"timestamp": times, "BBB": values[:, 1], "AAA": values[:, 0]})


def test_arrays_and_frames_of_both_libraries_are_the_same_weights() -> None:
    indexed = pandas.DataFrame(ARRAY, index=STAMPS, columns=["AAA", "BBB"])
    with_column = indexed.reset_index(names="timestamp")
    shuffled = indexed.iloc[::-1]
    for signals in (ARRAY, indexed, with_column, shuffled, polars_frame()):
        assert weights(signals) == ARRAY.tolist()


def test_the_weights_are_what_is_traded() -> None:
    bars = two_symbols()
    always = np.tile([0.5, 0.5], (CLOSES, 1))
    given = Backtest(bars, signals=always, costs=FREE).run()
    held = Backtest(bars, BuyAndHold(), costs=FREE).run()
    columns = ["fill_time", "symbol", "lots", "price"]
    assert given.fills.select(columns).equals(held.fills.select(columns))
    assert given.final_equity == held.final_equity


def test_nan_and_closes_without_a_row_keep_the_last_weight_and_begin_with_none() -> None:
    sparse = pandas.DataFrame({"AAA": [0.5, np.nan, 0.0]}, index=STAMPS[[1, 2, 4]], columns=["AAA"])
    assert weights(sparse) == [[w, 0.0] for w in (0.0, 0.5, 0.5, 0.5, 0.0, 0.0)]
    with_nan = np.where(ARRAY == 0.25, np.nan, ARRAY)
    assert [row[0] for row in weights(with_nan)] == [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]


def test_a_missing_bar_has_no_weight_of_its_own() -> None:
    given = weights(np.full((CLOSES, 2), 0.5), two_symbols(missing=(2,)))
    np.testing.assert_array_equal([row[0] for row in given], [0.5, 0.5, np.nan, 0.5, 0.5, 0.5])


def test_booleans_hold_equal_parts_long_or_short() -> None:
    is_long, is_short = ARRAY > 0.3, ARRAY == 0.0
    assert weights(is_long) == (is_long * 0.5).tolist()
    assert (
        weights({"long": is_long, "short": is_short}) == (is_long * 0.5 - is_short * 0.5).tolist()
    )
    frame = pandas.DataFrame({"AAA": [True, None]}, index=STAMPS[[0, 3]], dtype=object)
    assert [row[0] for row in weights({"short": frame})] == [-0.5] * CLOSES
    nulls = polars_frame().select(
        "timestamp", AAA=polars.Series([None, True, None, False] + [None] * 2)
    )
    assert [row[0] for row in weights(nulls)] == [0.0, 0.5, 0.5, 0.0, 0.0, 0.0]


def changed(row: int, value: float) -> np.ndarray[Any, Any]:
    values = ARRAY.copy()
    values[row, 0] = value
    return values


NAMED = pandas.DataFrame(ARRAY, index=STAMPS, columns=["AAA", "BBB"])


@pytest.mark.parametrize(
    ("signals", "sentence"),
    [
        (
            ARRAY[1:],
            "signals is float64 of shape (5, 2), but it must be float64 or booleans of shape "
            "(6 closes, 2 symbols)",
        ),
        (ARRAY.astype(np.float32), "signals is float32 of shape (6, 2), but it must be float64"),
        ([[0.5, 0.5]], "signals is a list, but it must be a float64 array or a pandas or polars"),
        (
            NAMED.rename(columns={"AAA": "AAB"}),
            "'AAB', of which there are no bars; did you mean AAA",
        ),
        (
            NAMED.set_index(STAMPS + pandas.Timedelta("1h")),
            "signals has a row at 1970-01-02T01:00:00Z, when no bar closes",
        ),
        (
            NAMED.set_index(STAMPS[[0, 0, 1, 2, 3, 4]]),
            "signals has two rows at 1970-01-02T00:00:00Z; a close may have one",
        ),
        (NAMED.reset_index(drop=True), "signals has no times: a column `timestamp` or an index"),
        (NAMED.assign(AAA="x"), "signals['AAA'] is not of numbers or booleans"),
        (changed(3, np.inf), "signals has inf for AAA at 1970-01-05T00:00:00Z; a weight must be"),
        ({"longs": ARRAY > 0}, "signals has 'longs', but it may have long and short; did you mean"),
        ({}, "signals is empty, but it must have long or short"),
        ({"long": ARRAY}, "signals['long'] is float64 of shape (6, 2), but it must be booleans"),
        ({"long": NAMED}, "signals['long']['AAA'] is float64, but it must be booleans"),
        (
            {"long": ARRAY > 0.9, "short": ARRAY > 0.9},
            "signals are long and short in AAA at 1970-01-06T00:00:00Z; one of them must be False",
        ),
    ],
)
def test_signals_that_do_not_fit_the_bars_are_refused_in_one_sentence(
    signals: Any, sentence: str
) -> None:
    with pytest.raises(BadSignals) as refused:
        Backtest(two_symbols(), signals=signals)
    assert sentence in str(refused.value)


def test_the_public_names_of_the_two_rooms_beside_strategies_are_these() -> None:
    assert stratvector.backtest.__all__ == [
        "Backtest",
        "BadGrid",
        "BadSignals",
        "Bars",
        "Costs",
        "Instrument",
        "Interrupted",
        "ModelResult",
        "Result",
        "RiskLimits",
        "document",
        "heatmap",
        "new_folder",
        "result_of",
        "write_result",
        "write_result_into",
    ]
    assert {"Bars", "BadBars", "load_universe", "read_bars", "resample"} <= set(
        stratvector.market.__all__
    )


def test_a_weight_beyond_what_may_be_borrowed_is_refused_as_any_models() -> None:
    with pytest.raises(ValueError, match=r"weight of AAA by model signals is 1\.5"):
        Backtest(two_symbols(), signals=changed(2, 1.5)).run()


def test_a_backtest_takes_a_strategy_its_class_or_signals_and_one_of_them() -> None:
    bars = two_symbols()
    by_class = Backtest(bars, BuyAndHold, costs=FREE).run()
    assert by_class.final_equity == Backtest(bars, BuyAndHold(), costs=FREE).run().final_equity
    for arguments, sentence in (
        ({}, "a backtest needs a strategy or signals, and there are neither"),
        ({"strategy": BuyAndHold(), "signals": ARRAY}, "and there are both"),
        ({"strategy": changed}, "strategy is changed, but it must be a Strategy or its class; put"),
        ({"strategy": 7}, "strategy is a int, but it must be a Strategy or its class"),
    ):
        with pytest.raises(TypeError) as refused:
            Backtest(bars, **arguments)
        assert sentence in str(refused.value)
