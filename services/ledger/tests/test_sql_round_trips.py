"""Any entry comes back: NaN, negative zero, infinities, money of any size and spelling."""

import struct
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.adapters.schema import Key
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.ledger import LedgerEntry, ModelAccount, same_entry
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
from tests.sessions.postgresql_server import postgresql
from tests.sessions.recorded_ledger import new_database, new_database_on, record, stored

MODELS = ("trend", "reversion", "carry")
SYMBOLS = ("AAPL", "BTC-USD", "E'S;--")
CLOSES = (-(2**62), 1_534_464_000_000_000_000)

signed = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**63 - 1)
doubles = st.floats(allow_nan=True, width=64).map(float)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
symbols = st.sampled_from(SYMBOLS)
money = st.builds(
    lambda digits, scale: Decimal(f"{digits}E{scale}"),
    st.integers(-(10**40), 10**40),
    st.integers(-30, 3),
)
parts = st.tuples(*[signed] * len(MODELS))
floats = st.lists(doubles, max_size=4).map(tuple)
held = st.dictionaries(symbols, signed.filter(bool))


def several(each: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, max_size=3).map(tuple)


figures = st.builds(ValueAtRisk, signed, doubles, doubles, doubles, counts, counts, doubles)


@st.composite
def entries(draw: st.DrawFn) -> list[LedgerEntry]:
    return [draw(entry(close_time)) for close_time in CLOSES]


@st.composite
def entry(draw: st.DrawFn, close_time: int) -> LedgerEntry:
    events = [
        draw(event(f"{close_time}-{n}", kind))
        for n, kind in enumerate(draw(several(st.sampled_from(FillKind))))
    ]
    fills = [one for one in events if one.kind is FillKind.FILLED]
    accounts = [
        ModelAccount(model, draw(held), draw(money), draw(money), draw(money)) for model in MODELS
    ]
    return LedgerEntry(
        portfolio="main",
        close_time=close_time,
        signals=draw(several(signals(close_time))),
        decision=draw(decision(close_time)),
        events=tuple(events),
        attributed=tuple((one.execution_id, draw(parts)) for one in fills),
        positions=draw(held),
        cash=draw(money),
        equity=draw(money),
        models=tuple(accounts),
        marks=draw(st.dictionaries(symbols, money)),
    )


@st.composite
def event(draw: st.DrawFn, number: str, kind: FillKind) -> FillEvent:
    plain = FillEvent(
        kind, draw(texts), draw(symbols), draw(counts), known_time=draw(signed), text=draw(texts)
    )
    if kind is not FillKind.FILLED:
        return plain
    return FillEvent(
        kind, plain.order_id, plain.symbol, plain.epoch, f"execution {number}", draw(signed),
        draw(money), draw(money), draw(money), draw(signed), plain.known_time, plain.text,
    )  # fmt: skip


def signals(close_time: int) -> st.SearchStrategy[Signals]:
    rows = st.builds(
        SignalRow, symbols, doubles, doubles, st.sampled_from(Action), st.sampled_from(SignalReason)
    )
    return st.builds(
        Signals,
        portfolio=st.just("main"),
        model=st.sampled_from(MODELS),
        version=texts,
        close_time=st.just(close_time),
        rows=several(rows),
        state=floats,
        bars_id=texts,
    )


@st.composite
def decision(draw: st.DrawFn, close_time: int) -> Decision:
    orders = [
        ApprovedOrder(
            f"order {close_time} {n}", draw(symbols), draw(signed), draw(parts), draw(money),
            draw(signed), draw(signed),
        )
        for n in range(draw(st.integers(0, 3)))
    ]  # fmt: skip
    symbol_decisions = st.builds(
        SymbolDecision,
        symbols,
        st.sampled_from(Outcome),
        floats,
        signed,
        several(st.sampled_from(WeightReason)),
    )
    cuts = st.builds(
        Cut,
        st.dictionaries(texts, texts, max_size=3),
        st.dictionaries(texts, texts, max_size=3),
        counts,
        counts,
        floats,
    )
    return Decision(
        "main",
        close_time,
        draw(doubles),
        draw(doubles),
        draw(doubles),
        draw(st.booleans()),
        draw(st.booleans()),
        tuple(orders),
        draw(several(st.builds(Cancel, texts, symbols))),
        draw(several(st.builds(Cross, symbols, parts, money))),
        draw(several(symbol_decisions)),
        draw(cuts),
        draw(st.none() | figures),
    )


@settings(max_examples=40, deadline=None)
@given(entries())
def test_any_entry_comes_back_as_it_was(given_entries: list[LedgerEntry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        comes_back(new_database(Path(folder)), given_entries)


@settings(max_examples=12, deadline=None)
@given(entries())
def test_any_entry_comes_back_from_a_server(given_entries: list[LedgerEntry]) -> None:
    comes_back(new_database_on(postgresql()), given_entries)


def comes_back(database: LedgerDatabase, given_entries: list[LedgerEntry]) -> None:
    record(database, given_entries, linger_seconds=0.0)
    for one in given_entries:
        kept = stored(database, Key.of(one), one.close_time)
        assert kept is not None
        assert same_entry(kept, one)
        assert _bits(kept.decision.equity) == _bits(one.decision.equity)
    assert database.verify().passed
    record(database, given_entries, linger_seconds=0.0)
    database.close()


def _bits(value: float) -> bytes:
    """A NaN has many; that it is one is all that is kept of it."""
    return b"NaN" if value != value else struct.pack("<d", value)
