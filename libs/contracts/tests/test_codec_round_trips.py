"""Every noun comes back to the bit: NaN, negative zero, extreme decimals, nothing at all."""

from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stratvector.contracts import codecs
from stratvector.trading.bars import FIELDS, ClosedBars
from stratvector.trading.carried import (
    Carried,
    CarriedAccount,
    CarriedCell,
    CarriedDate,
    CarriedModel,
    CarriedOrder,
    CarriedSymbol,
    OrderWord,
)
from stratvector.trading.chapters import Chapter, ChapterBars, GoneUniverse, Opened
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
from stratvector.trading.portfolio import Costs
from stratvector.trading.reasons import Outcome, SignalReason, WeightReason
from stratvector.trading.signals import Action, SignalRow, Signals
from stratvector.trading.used_bars import UsedBars

counts = st.integers(0, 2**64 - 1)
closes = st.integers(1, 2**63 - 1)
doubles = st.floats()  # with NaN, both infinities, subnormals and negative zero
finite = st.floats(-1e300, 1e300)
fractions = st.floats(0, 1)
texts = st.text(max_size=12)
names = st.text(min_size=1, max_size=12)
scales = st.integers(0, 40)
money = st.builds(
    lambda digits, scale: Decimal(f"{digits}E-{scale}"), st.integers(0, 10**15), scales
)
cents = st.integers(-(10**15), 10**15).map(lambda count: Decimal(count).scaleb(-2))
prices = money.filter(bool)
shares = st.lists(st.integers(0, 2**50), min_size=1, max_size=4).filter(any)
several_doubles = st.lists(doubles, max_size=8).map(tuple)


def several(each: st.SearchStrategy[Any], by: str = "symbol") -> st.SearchStrategy[tuple[Any, ...]]:
    """Up to three, each name once."""
    unique = st.lists(each, max_size=3, unique_by=lambda one: getattr(one, by))
    return unique.map(tuple)


def by_name(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Dictionaries in the order in which the wire holds them, so that their text compares."""
    entries = st.dictionaries(texts, values, max_size=4)
    return entries.map(lambda entry: dict(sorted(entry.items())))


rows = st.builds(
    SignalRow,
    symbol=names,
    weight=st.floats(allow_infinity=False),
    confidence=fractions,
    action=st.sampled_from(Action),
    reason=st.sampled_from(SignalReason),
)
signals = st.builds(
    Signals,
    portfolio=names,
    model=names,
    version=texts,
    close_time=closes,
    rows=several(rows),
    state=several_doubles,
    bars_id=texts,
    chapter=counts,
)


@st.composite
def orders(draw: st.DrawFn, decided_at: int) -> ApprovedOrder:
    side = draw(st.sampled_from([1, -1]))
    parts = tuple(side * share for share in draw(shares))
    later = st.integers(decided_at + 1, 2**63 - 1) if decided_at < 2**63 - 1 else st.just(0)
    return ApprovedOrder(
        order_id=draw(names),
        symbol=draw(names),
        lots=sum(parts),
        parts=parts,
        reference_price=draw(prices),
        decided_at=decided_at,
        expires_at=draw(st.just(0) | later),
    )


symbol_decisions = st.builds(
    SymbolDecision,
    symbol=names,
    outcome=st.sampled_from(Outcome),
    stages=st.lists(st.floats(-1e9, 1e9), max_size=8).map(tuple),
    target_lots=st.integers(-(2**63), 2**63 - 1),
    weight_reasons=st.lists(st.sampled_from(WeightReason), max_size=3).map(tuple),
)
used_bars = by_name(texts).map(lambda held: {name: f"b{n}" for n, name in enumerate(held)})
late_bars = several(
    st.builds(UsedBars, universe=texts, message_id=names.map("l".__add__)), "message_id"
)
cuts = st.builds(
    Cut,
    bars=used_bars,
    signals=by_name(texts),
    fills_sequence=counts,
    commands_sequence=counts,
    multipliers=st.lists(fractions, max_size=8).map(tuple),
    late=late_bars,
)
crosses = st.builds(
    lambda symbol, parts, price: Cross(symbol, (*parts, -sum(parts)), price), names, shares, prices
)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    close_time = draw(closes)
    figures = st.builds(
        ValueAtRisk,
        as_of=st.integers(1, close_time),
        horizon_days=st.floats(0, 1e3),
        var_95=finite,
        cvar_95=finite,
        simulations=counts,
        seed=counts,
        factor=fractions,
    )
    approved = st.lists(
        orders(close_time), max_size=3, unique_by=(lambda o: o.symbol, lambda o: o.order_id)
    )
    return Decision(
        portfolio=draw(names),
        close_time=close_time,
        equity=draw(finite),
        gross_exposure=draw(st.floats(0, 1e300)),
        drawdown_factor=draw(fractions),
        halted=draw(st.booleans()),
        reduce_only=draw(st.booleans()),
        orders=tuple(draw(approved)),
        cancels=draw(several(st.builds(Cancel, order_id=names, symbol=texts), "order_id")),
        crosses=draw(several(crosses)),
        symbols=draw(several(symbol_decisions)),
        cut=draw(cuts),
        value_at_risk=draw(st.none() | figures),
    )


@st.composite
def events(draw: st.DrawFn) -> FillEvent:
    kind, known_time = draw(st.sampled_from(FillKind)), draw(st.integers(0, 2**63 - 1))
    times = (draw(st.integers(0, known_time)), known_time)
    order_id, epoch = draw(names), draw(counts)
    if kind is not FillKind.FILLED:
        text = draw(texts)
        return FillEvent(
            kind,
            order_id,
            draw(texts),
            epoch,
            fill_time=times[0],
            known_time=times[1],
            text=text,
        )
    lots = draw(st.integers(1, 2**53)) * draw(st.sampled_from([1, -1]))
    paid = (draw(prices), draw(money), draw(money))
    return FillEvent(kind, order_id, draw(texts), epoch, draw(names), lots, *paid, *times)


whose = {"portfolio": names, "account": names, "number": counts, "chapter": counts}
happened = several(events(), "execution_id")
reports = st.builds(FillsReport, **whose, events=happened) | st.builds(
    FillsReport, **whose, events=happened, closed=closes, bars=used_bars, late=late_bars
)
chapter_bars = st.builds(
    ChapterBars,
    universe=names,
    hash=names,
    closes=counts,
)
signed = st.integers(-(2**63), 2**63 - 1)
exact = st.decimals(allow_nan=False, allow_infinity=False)  # with more digits than the wire's
cells = st.builds(CarriedCell, model=names, lots=signed, held_weight=doubles, missing=counts)
carried = st.builds(
    Carried,
    close_time=closes,
    cash=doubles,
    peak=doubles,
    day_start=doubles,
    last_equity=doubles,
    day=signed,
    next_closes=by_name(st.integers(0, 2**63 - 1)),
    symbols=several(
        st.builds(CarriedSymbol, names, signed, doubles, several(cells, "model"), kept=signed)
    ),
    models=several(
        st.builds(
            CarriedModel,
            name=names,
            cash=doubles,
            exact_cash=exact,
            commission=exact,
            close_time=closes,
            state=several_doubles,
            weights=by_name(doubles),
        ),
        "name",
    ),
    accounts=several(
        st.builds(CarriedAccount, name=names, cash=doubles, exact_cash=exact, reports=counts),
        "name",
    ),
    orders=st.lists(
        st.builds(
            CarriedOrder,
            order=closes.flatmap(orders),
            word=st.sampled_from(OrderWord),
            filled=signed,
            given=st.lists(signed, max_size=3).map(tuple),
            costs=st.builds(
                Costs,
                st.floats(0, 0.99),
                st.floats(0, 0.99),
                st.none() | st.floats(0, 1, exclude_min=True),
            ),
        ),
        max_size=2,
    ).map(tuple),
    cancels=several(st.builds(Cancel, names, names)),
    sequences=by_name(counts),
    dates=st.lists(st.builds(CarriedDate, several_doubles), max_size=2).map(tuple),
    recorded_at=st.integers(0, 2**63 - 1),
)


@st.composite
def chapters(draw: st.DrawFn) -> Chapter:
    """The first one carries nothing, every other one something."""
    number = draw(st.just(1) | st.integers(2, 2**64 - 1))
    return Chapter(
        portfolio=draw(names),
        number=number,
        engine_hash=draw(names),
        document=draw(names),
        bars=draw(
            st.lists(chapter_bars, max_size=3, unique_by=lambda bars: bars.universe).map(tuple)
        ),
        run=draw(names),
        previous=draw(texts),
        carried=draw(carried) if number > 1 else None,
        applied_by=draw(texts),
        applied_at=draw(st.integers(0, 2**63 - 1)),
        gone=tuple(GoneUniverse(n, 3) for n in draw(st.lists(names, unique=True, max_size=2))),
    )


openings = st.builds(
    Opened,
    portfolio=names,
    number=st.integers(2, 2**64 - 1),
    chapter_id=names,
    sequence=counts,
    close_time=closes,
)


@st.composite
def positions(draw: st.DrawFn) -> Positions:
    lots = st.integers(1, 2**53).flatmap(lambda size: st.sampled_from([size, -size]))
    held = draw(st.dictionaries(names, lots, max_size=4))
    value = draw(cents.map(abs)) if held else Decimal(0)
    cash, gains = draw(cents), any(lots > 0 for lots in held.values())
    return Positions(
        portfolio=draw(names),
        close_time=draw(closes),
        number=draw(counts),
        positions=dict(sorted(held.items())),
        cash=cash,
        equity=cash + (value if gains else -value),
    )


by_lots = st.dictionaries(names, st.integers(1, 2**53), max_size=4)
owners = st.builds(codecs.Owner, instance=names, epoch=counts, engine_hash=st.text(max_size=16))


@st.composite
def cross_sections(draw: st.DrawFn) -> ClosedBars:
    symbols = tuple(draw(st.lists(names, max_size=8, unique=True)))
    close_time = draw(closes)
    price = st.floats(5e-324, 1e15)

    def bar() -> tuple[float, ...]:
        """Open, high, low, close, volume; or nothing."""
        if draw(st.booleans()):
            return (np.nan,) * 5
        low, one, other, high = sorted(draw(st.tuples(price, price, price, price)))
        return (one, high, low, other, draw(st.floats(0, 1e300)))

    panel = np.array([bar() for _ in symbols]).reshape(len(symbols), 5).T
    columns = dict(zip(FIELDS, map(np.ascontiguousarray, panel), strict=True))
    return ClosedBars(
        universe=draw(names),
        timeframe=draw(names),
        close_time=close_time,
        symbols=symbols,
        **columns,
        late=draw(st.booleans()),
        open_time=draw(st.integers(0, close_time - 1)),
        next_close=draw(st.just(0) | st.integers(close_time + 1, 2**63 - 1)),
    )


@given(cross_sections())
def test_closed_bars_come_back_to_the_bit(bars: ClosedBars) -> None:
    back = codecs.decode_closed_bars(codecs.encode_closed_bars(bars))
    plain = ("universe", "timeframe", "close_time", "symbols", "late", "open_time", "next_close")
    for field in plain:
        assert repr(getattr(back, field)) == repr(getattr(bars, field))
    for field in FIELDS:
        # NaNs carry no payload here; the bits of every value must be the same.
        assert getattr(back, field).tobytes() == getattr(bars, field).tobytes()
        assert getattr(back, field).flags.writeable


# The text of a frozen dataclass tells types, NaN, -0.0, every digit and a Decimal's scale.
@given(signals)
def test_signals_come_back_to_the_bit(content: Signals) -> None:
    assert repr(codecs.decode_signals(codecs.encode_signals(content))) == repr(content)


@given(decisions())
def test_a_decision_comes_back_to_the_bit(content: Decision) -> None:
    assert repr(codecs.decode_decision(codecs.encode_decision(content))) == repr(content)
    assert codecs.decode_decided(codecs.encode_decision(content)) == (
        content.close_time,
        content.ended,
    )


@given(reports)
def test_a_fills_report_comes_back_to_the_bit(content: FillsReport) -> None:
    assert repr(codecs.decode_fills_report(codecs.encode_fills_report(content))) == repr(content)


@given(positions())
def test_positions_come_back_to_the_bit(content: Positions) -> None:
    assert repr(codecs.decode_positions(codecs.encode_positions(content))) == repr(content)


@given(chapters())
def test_a_chapter_comes_back(content: Chapter) -> None:
    assert repr(codecs.decode_chapter(codecs.encode_chapter(content))) == repr(content)


@given(openings)
def test_an_opening_comes_back(content: Opened) -> None:
    assert codecs.decode_opened(codecs.encode_opened(content)) == content


@given(owners)
def test_an_owner_comes_back(content: codecs.Owner) -> None:
    assert codecs.decode_owner(codecs.encode_owner(content)) == content


@given(decisions())
def test_a_decision_read_and_written_again_has_the_same_bytes(content: Decision) -> None:
    payload = codecs.encode_decision(content)
    assert codecs.encode_decision(codecs.decode_decision(payload)) == payload


@given(by_lots, st.randoms(use_true_random=False))
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
