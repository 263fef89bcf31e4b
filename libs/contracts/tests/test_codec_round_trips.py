"""Every noun comes back to the bit: NaN, negative zero, extreme decimals, nothing at all."""

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from stratvector.contracts import codecs
from stratvector.trading.bars import FIELDS, ClosedBars
from stratvector.trading.chapters import Chapter, ChapterBars
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.ledger import Positions
from stratvector.trading.orders import (
    ApprovedOrder,
    Cancel,
    Cross,
    Cut,
    Decision,
    SymbolDecision,
    ValueAtRisk,
)
from stratvector.trading.reasons import Outcome, SignalReason, WeightReason
from stratvector.trading.signals import Action, SignalRow, Signals

signed = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**64 - 1)
doubles = st.floats()  # with NaN, both infinities, subnormals and negative zero
texts = st.text(max_size=12)
names = st.text(min_size=1, max_size=12)
scales = st.one_of(st.integers(0, 30), st.integers(0, 2**32 - 1))
money = st.builds(lambda digits, scale: Decimal(f"{digits}E-{scale}"), signed, scales)
lots_per_model = st.lists(signed, max_size=4).map(tuple)
several_doubles = st.lists(doubles, max_size=8).map(tuple)


def several(each: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, max_size=3).map(tuple)


def by_name(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Dictionaries in the order in which the wire holds them, so that their text compares."""
    entries = st.dictionaries(texts, values, max_size=4)
    return entries.map(lambda entry: dict(sorted(entry.items())))


rows = st.builds(
    SignalRow,
    symbol=texts,
    weight=doubles,
    confidence=doubles,
    action=st.sampled_from(Action),
    reason=st.sampled_from(SignalReason),
)
signals = st.builds(
    Signals,
    portfolio=names,
    model=names,
    version=texts,
    close_time=signed,
    rows=several(rows),
    state=several_doubles,
    bars_id=texts,
)
orders = st.builds(
    ApprovedOrder,
    order_id=texts,
    symbol=texts,
    lots=signed,
    parts=lots_per_model,
    reference_price=money,
    decided_at=signed,
    expires_at=signed,
)
symbol_decisions = st.builds(
    SymbolDecision,
    symbol=texts,
    outcome=st.sampled_from(Outcome),
    stages=several_doubles,
    target_lots=signed,
    weight_reasons=several(st.sampled_from(WeightReason)),
)
cuts = st.builds(
    Cut,
    bars=by_name(texts),
    signals=by_name(texts),
    fills_sequence=counts,
    commands_sequence=counts,
    multipliers=several_doubles,
)
figures = st.builds(
    ValueAtRisk,
    as_of=signed,
    horizon_days=doubles,
    var_95=doubles,
    cvar_95=doubles,
    simulations=counts,
    seed=counts,
    factor=doubles,
)
decisions = st.builds(
    Decision,
    portfolio=names,
    account=names,
    close_time=signed,
    equity=doubles,
    gross_exposure=doubles,
    drawdown_factor=doubles,
    halted=st.booleans(),
    reduce_only=st.booleans(),
    orders=several(orders),
    cancels=several(st.builds(Cancel, order_id=texts, symbol=texts)),
    crosses=several(st.builds(Cross, symbol=texts, parts=lots_per_model, price=money)),
    symbols=several(symbol_decisions),
    cut=cuts,
    value_at_risk=st.none() | figures,
)
events = st.builds(
    FillEvent,
    kind=st.sampled_from(FillKind),
    order_id=texts,
    symbol=texts,
    epoch=counts,
    execution_id=texts,
    lots=signed,
    price=money,
    commission=money,
    slippage=money,
    fill_time=signed,
    known_time=signed,
    text=texts,
)
reports = st.builds(
    FillsReport,
    portfolio=names,
    account=names,
    number=counts,
    events=several(events),
    closed=st.none() | signed,
)
positions = st.builds(
    Positions,
    portfolio=names,
    close_time=signed,
    number=counts,
    positions=by_name(signed),
    cash=money,
    equity=money,
)
chapter_bars = st.builds(
    ChapterBars,
    universe=names,
    close_times=st.lists(signed, max_size=4, unique=True).map(sorted).map(tuple),
    hash=names,
)
chapters = st.builds(
    Chapter,
    portfolio=names,
    number=st.integers(1, 2**64 - 1),
    engine_hash=names,
    document=names,
    bars=st.lists(chapter_bars, max_size=3, unique_by=lambda bars: bars.universe).map(tuple),
)
owners = st.builds(codecs.Owner, instance=names, epoch=counts)


@st.composite
def cross_sections(draw: st.DrawFn) -> ClosedBars:
    symbols = tuple(draw(st.lists(texts, max_size=8, unique=True)))

    def column() -> npt.NDArray[np.float64]:
        size = len(symbols)
        return np.array(draw(st.lists(doubles, min_size=size, max_size=size)), dtype=np.float64)

    return ClosedBars(
        universe=draw(names),
        timeframe=draw(names),
        close_time=draw(signed),
        symbols=symbols,
        **{field: column() for field in FIELDS},
        late=draw(st.booleans()),
        open_time=draw(signed),
    )


@given(cross_sections())
def test_closed_bars_come_back_to_the_bit(bars: ClosedBars) -> None:
    back = codecs.decode_closed_bars(codecs.encode_closed_bars(bars))
    for field in ("universe", "timeframe", "close_time", "symbols", "late", "open_time"):
        assert repr(getattr(back, field)) == repr(getattr(bars, field))
    for field in FIELDS:
        # NaNs carry no payload here; the bits of every value must be the same.
        assert getattr(back, field).tobytes() == getattr(bars, field).tobytes()
        assert getattr(back, field).flags.writeable


# The text of a frozen dataclass tells types, NaN, -0.0, every digit and a Decimal's scale.
@given(signals)
def test_signals_come_back_to_the_bit(content: Signals) -> None:
    assert repr(codecs.decode_signals(codecs.encode_signals(content))) == repr(content)


@given(decisions)
def test_a_decision_comes_back_to_the_bit(content: Decision) -> None:
    assert repr(codecs.decode_decision(codecs.encode_decision(content))) == repr(content)
    assert codecs.decode_decided_close(codecs.encode_decision(content)) == content.close_time


@given(reports)
def test_a_fills_report_comes_back_to_the_bit(content: FillsReport) -> None:
    assert repr(codecs.decode_fills_report(codecs.encode_fills_report(content))) == repr(content)


@given(positions)
def test_positions_come_back_to_the_bit(content: Positions) -> None:
    assert repr(codecs.decode_positions(codecs.encode_positions(content))) == repr(content)


@given(chapters)
def test_a_chapter_comes_back(content: Chapter) -> None:
    assert codecs.decode_chapter(codecs.encode_chapter(content)) == content


@given(owners)
def test_an_owner_comes_back(content: codecs.Owner) -> None:
    assert codecs.decode_owner(codecs.encode_owner(content)) == content


@given(decisions)
def test_a_decision_read_and_written_again_has_the_same_bytes(content: Decision) -> None:
    payload = codecs.encode_decision(content)
    assert codecs.encode_decision(codecs.decode_decision(payload)) == payload


@given(by_name(signed), st.randoms(use_true_random=False))
def test_the_order_in_which_positions_were_opened_leaves_no_trace(
    held: dict[str, int], random: Any
) -> None:
    shuffled = list(held.items())
    random.shuffle(shuffled)
    first, second = (
        codecs.encode_positions(Positions("main", 1, 1, entries, Decimal(1), Decimal(1)))
        for entries in (held, dict(shuffled))
    )
    assert first == second
