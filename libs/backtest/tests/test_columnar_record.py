"""A run's arrays say what the ledger of the same run says, to the last bit."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.backtest import Result, document, result_of
from stratvector.backtest.exact_money import Amounts, add_product, limbs_of
from stratvector.backtest.run_record import RunRecord
from stratvector.trading import replay
from stratvector.trading.session import Session
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.wild_sessions import wild_session

WHOLE_MAX = 2**52 - 1


def both(session: Session) -> tuple[Result, Result]:
    """The result of a run by its arrays, and by its ledger."""
    ours = result_of(replay.run(session))
    assert isinstance(ours.record, RunRecord)
    return ours, Result.of_ledger(session, ours.entries, ours.bars, ours.signals)


def assert_equal(ours: Result, theirs: Result) -> None:
    for name in ("orders", "fills", "equity", "trades"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert mine.schema == other.schema, name
        assert mine.equals(other, null_equal=True), name
    assert repr(document(ours, {})) == repr(document(theirs, {}))
    for name, table in ours.tables.items():
        assert table.equals(theirs.tables[name]), name
    assert ours.models == theirs.models
    assert ours.halts == theirs.halts
    assert repr(ours.metrics) == repr(theirs.metrics)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_table_and_number_of_a_wild_session_is_that_of_its_ledger(seed: int) -> None:
    assert_equal(*both(wild_session(seed)))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), universes=st.integers(1, 3), symbols=st.integers(1, 3))
def test_so_are_those_of_several_universes(seed: int, universes: int, symbols: int) -> None:
    assert_equal(*both(generated_session(seed, Shape(universes=universes, symbols=symbols))))


@given(
    a=st.integers(0, WHOLE_MAX), b=st.integers(0, WHOLE_MAX), start=st.integers(-(2**100), 2**100)
)
def test_a_product_is_added_and_taken_away_exactly(a: int, b: int, start: int) -> None:
    totals = np.array([limbs_of(start)], dtype=np.int64)
    amounts = Amounts(totals, 0)
    add_product(a, b, 1, totals, 0)
    assert amounts.whole((0,)) == start + a * b
    add_product(a, b, -1, totals, 0)
    assert amounts.whole((0,)) == start


@given(
    whole=st.one_of(
        st.integers(-(2**103), 2**103),
        st.integers(-(10**7), 10**7),
        st.integers(2**53, 2**60).map(lambda n: 2 * n + 1),  # halfway between two float64
    ),
    decimals=st.integers(0, 22),
)
def test_an_amount_becomes_the_nearest_float(whole: int, decimals: int) -> None:
    amounts = Amounts(np.array([limbs_of(whole)], dtype=np.int64), decimals)
    assert amounts.floats()[0] == whole / 10**decimals
    assert amounts.exact((0,)) == Decimal(whole) / Decimal(10) ** decimals or abs(whole) > 10**28


def test_words_are_made_when_they_are_asked_for() -> None:
    result = result_of(replay.run(generated_session(1)))
    assert not math.isnan(result.metrics["total_return"])
    assert len(result.fills)
    assert "entries" not in vars(result)
    assert len(result.entries) == result.closes


@pytest.mark.parametrize("capacity", [1, 7])
def test_how_many_rows_a_chunk_holds_changes_nothing(
    capacity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = generated_session(5)
    whole = result_of(replay.run(session))
    monkeypatch.setattr(replay, "ROWS_MIN", capacity)
    monkeypatch.setattr(replay, "CHUNK_STEPS", 20)
    assert_equal(result_of(replay.run(session)), whole)


def test_bars_that_cannot_be_written_run_in_the_same_compiled_code() -> None:
    session = generated_session(3, Shape(universes=1))
    (history,) = session.histories.values()
    for name in ("open", "high", "low", "close", "volume"):
        getattr(history.bars, name).flags.writeable = False
    assert all(array.flags.writeable for array in session.market)
    assert_equal(*both(session))
