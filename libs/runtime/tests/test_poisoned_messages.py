"""What a thief with the owner's own key may publish is refused by whoever reads it, so that its
lane halts in quarantine: never an exception that a process would die of.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from stratvector.contracts import codecs
from stratvector.runtime.bars_reader import BarsReader
from stratvector.runtime.fills_reader import FillsReader
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Message, Ports, Stored
from stratvector.runtime.process.quarantine import refused
from stratvector.runtime.progress import ProgressReader
from stratvector.runtime.readers import OrdersReader
from stratvector.runtime.signals_reader import SignalsReader
from stratvector.runtime.simulation.world import World
from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillEvent, FillKind, FillsReport
from stratvector.trading.lanes import (
    bars_lane,
    fills_lane,
    orders_lane,
    positions_lane,
    signals_lane,
)
from stratvector.trading.ledger import Positions
from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.positions import check_positions_of
from stratvector.trading.orders import ApprovedOrder, Cancel, Cross, Decision
from stratvector.trading.reasons import SignalReason
from stratvector.trading.signals import Action, SignalRow, Signals
from tests.sessions.scripted_sessions import Script, scripted_session

Play = Callable[..., World]
PORTFOLIO = scripted_session(
    Script(closes={"A": [10.0] * 2, "B": [10.0] * 2}, weights={"model": {"A": [0.0], "B": [0.0]}})
).portfolio
UNIVERSE = PORTFOLIO.universes[0]
NAME, ACCOUNT, OWN = PORTFOLIO.name, PORTFOLIO.account_names[0], Own.of(PORTFOLIO)
CLOSE = 10_000
TEN, INF, NAN = np.array([10.0, 10.0]), math.inf, math.nan

BARS = ClosedBars(
    UNIVERSE.name, UNIVERSE.timeframe, CLOSE, UNIVERSE.symbols, TEN, TEN, TEN, TEN, TEN
)
ROWS = tuple(SignalRow(s, 0.5, 1.0, Action.BUY, SignalReason.NONE) for s in UNIVERSE.symbols)
SIGNALS = Signals(NAME, "model", "1.0.0", CLOSE, ROWS, (), "bars-id")
ORDER = ApprovedOrder("o1", "A", 5, (5,), Decimal("10.00"), CLOSE, CLOSE + 1)
CROSS = Cross("A", (0,), Decimal("10.00"))
DECISION = Decision(NAME, CLOSE, 100_000.0, 0.0, 1.0, False, False, (ORDER,), (), (), ())
FILL = FillEvent(
    FillKind.FILLED,
    "o1",
    "A",
    execution_id="e1",
    lots=5,
    price=Decimal("10.00"),
    commission=Decimal("0.05"),
    fill_time=CLOSE - 1,
    known_time=CLOSE,
)
REPORT = FillsReport(NAME, ACCOUNT, 0, (FILL,), CLOSE)
HELD = Positions(NAME, CLOSE, 0, {"A": 5}, Decimal(50), Decimal(100))


def bars(**change: Any) -> bytes:
    return codecs.encode_closed_bars(replace(BARS, **change))


def signals(weight: float = 0.5, confidence: float = 1.0, **change: Any) -> bytes:
    rows = (replace(ROWS[0], weight=weight, confidence=confidence), *ROWS[1:])
    return codecs.encode_signals(replace(SIGNALS, **{"rows": rows} | change))


def decision(order: dict[str, Any] | None = None, **change: Any) -> bytes:
    orders = (replace(ORDER, **(order or {})),)
    return codecs.encode_decision(replace(DECISION, **{"orders": orders} | change))


def fills(event: dict[str, Any] | None = None, **change: Any) -> bytes:
    events = (replace(FILL, **(event or {})),)
    return codecs.encode_fills_report(replace(REPORT, **{"events": events} | change))


def held(**change: Any) -> bytes:
    return codecs.encode_positions(replace(HELD, **change))


def cut_short(payload: bytes) -> bytes:
    """Truncated in the middle of a field."""
    return payload[: len(payload) // 2]


POISON: dict[str, dict[str, bytes]] = {
    "bars": {
        "price -5": bars(close=np.array([10.0, -5.0]), low=np.array([10.0, -5.0])),
        "price 0": bars(open=np.array([0.0, 10.0])),
        "price infinite": bars(high=np.array([INF, 10.0])),
        "price 1e300": bars(high=np.array([1e300, 10.0])),
        "half a bar": bars(close=np.array([NAN, 10.0])),
        "high below low": bars(high=np.array([9.0, 10.0]), low=np.array([11.0, 10.0])),
        "close above high": bars(close=np.array([11.0, 10.0])),
        "volume -1": bars(volume=np.array([-1.0, 10.0])),
        "volume infinite": bars(volume=np.array([INF, 10.0])),
        "unknown symbol": bars(symbols=("A", "ZZZ")),
        "other order": bars(symbols=("B", "A")),
        "other universe": bars(universe="mars"),
        "opened after its close": bars(open_time=CLOSE + 1),
        "before 1970": bars(close_time=-1),
        "next close before its own": bars(next_close=CLOSE),
        "truncated": cut_short(bars()),
    },
    "signals": {
        "weight 7": signals(7.0),
        "weight -7": signals(-7.0),
        "weight infinite": signals(INF),
        "weight 1e300": signals(1e300),
        "confidence NaN": signals(confidence=NAN),
        "confidence 2": signals(confidence=2.0),
        "unknown symbol": signals(rows=(replace(ROWS[0], symbol="ZZZ"), ROWS[1])),
        "a symbol twice": signals(rows=(ROWS[0], ROWS[0])),
        "one row too few": signals(rows=ROWS[:1]),
        "other order": signals(rows=ROWS[::-1]),
        "no rows": signals(rows=()),
        "other portfolio": signals(portfolio="theirs"),
        "unknown model": signals(model="oracle"),
        "before 1970": signals(close_time=0),
        "truncated": cut_short(signals()),
    },
    "orders": {
        "unknown symbol": decision({"symbol": "ZZZ"}),
        "no lots": decision({"lots": 0, "parts": (0,)}),
        "parts that do not sum": decision({"parts": (4,)}),
        "parts of other models": decision({"parts": (2, 3)}),
        "price -5": decision({"reference_price": Decimal(-5)}),
        "a price of gigabytes": decision({"reference_price": Decimal(10**17)}),
        "expired before its decision": decision({"expires_at": CLOSE - 1}),
        "decided at another close": decision({"decided_at": CLOSE - 1}),
        "other portfolio": decision(portfolio="theirs"),
        "equity NaN": decision(equity=NAN),
        "equity infinite": decision(equity=INF),
        "exposure -1": decision(gross_exposure=-1.0),
        "drawdown factor 7": decision(drawdown_factor=7.0),
        "an order twice": decision(orders=(ORDER, ORDER)),
        "a cancel of an unknown symbol": decision(cancels=(Cancel("o0", "ZZZ"),)),
        "a cross of an unknown symbol": decision(
            crosses=(replace(CROSS, symbol="ZZZ", parts=(1, -1)),)
        ),
        "a cross that does not sum": decision(crosses=(replace(CROSS, parts=(3,)),)),
        "truncated": cut_short(decision()),
    },
    "fills": {
        "unknown symbol": fills({"symbol": "ZZZ"}),
        "no lots": fills({"lots": 0}),
        "lots beyond 2^53": fills({"lots": 2**60}),
        "price 0": fills({"price": Decimal(0)}),
        "price -5": fills({"price": Decimal(-5)}),
        "commission -1": fills({"commission": Decimal(-1)}),
        "commission of a million": fills({"commission": Decimal(10**6)}),
        "slippage of a million": fills({"slippage": Decimal(10**6)}),
        "no execution's id": fills({"execution_id": ""}),
        "no order's id": fills({"order_id": ""}),
        "known before it happened": fills({"fill_time": CLOSE + 1}),
        "a rejection with lots": fills({"kind": FillKind.REJECTED}),
        "an execution twice": fills(events=(FILL, FILL)),
        "other account": fills(account="theirs"),
        "a number ahead": fills(number=7),
        "truncated": cut_short(fills()),
    },
    "positions": {
        "unknown symbol": held(positions={"ZZZ": 5}),
        "no lots": held(positions={"A": 0}),
        "lots beyond 2^53": held(positions={"A": 2**60}),
        "a symbol without a name": held(positions={"": 5}),
        "other portfolio": held(portfolio="theirs"),
        "empty": b"",
        "equity without positions": held(positions={}),
        "longs of a negative value": held(equity=Decimal(49)),
        "shorts of a positive value": held(positions={"A": -5}),
        "cash of a quadrillion": held(cash=Decimal(10**16), equity=Decimal(10**16)),
        "equity of a quadrillion": held(equity=Decimal(10**16)),
        "at the close before": held(close_time=CLOSE - 1),
        "before 1970": held(close_time=-1),
        "truncated": cut_short(held()),
    },
}
HONEST = {
    "bars": bars(),
    "signals": signals(),
    "orders": decision(),
    "fills": fills(),
    "positions": held(),
}


async def read(ports: Ports, noun: str) -> None:
    """The next message of a noun's lane, as its readers take it."""
    match noun:
        case "bars":
            await BarsReader(ports, PORTFOLIO, CLOSE).at(CLOSE, (UNIVERSE.name,))
        case "signals":
            await SignalsReader(ports, PORTFOLIO, "model").at(CLOSE)
        case "orders":
            await OrdersReader(ports, PORTFOLIO).at(CLOSE)
        case "fills":
            await FillsReader(ports, PORTFOLIO).until(CLOSE)


def lane_of(noun: str) -> str:
    return {
        "bars": bars_lane(PORTFOLIO, UNIVERSE),
        "signals": signals_lane(PORTFOLIO, "model"),
        "orders": orders_lane(PORTFOLIO),
        "fills": fills_lane(PORTFOLIO, PORTFOLIO.account_names[0]),
        "positions": positions_lane(PORTFOLIO),
    }[noun]


def what_reading_raises(play: Play, noun: str, payload: bytes) -> Exception | None:
    found: list[Exception] = []

    async def script(ports: Ports) -> None:
        if noun == "positions":  # the gateway follows them without a reader
            try:
                check_positions_of(codecs.decode_positions(payload), OWN, CLOSE - 1)
            except Exception as error:  # noqa: BLE001 - which ones is the question
                found.append(error)
            return
        lane = Lane(ports, lane_of(noun))
        await lane.acquire()
        await lane.publish("thief", payload)
        try:
            await read(ports, noun)
        except Exception as error:  # noqa: BLE001 - which ones is the question
            found.append(error)

    play(script)
    return found[0] if found else None


@pytest.mark.parametrize("noun", POISON)
def test_every_poisoned_message_is_refused_in_one_sentence_and_an_honest_one_is_taken(
    play: Play, noun: str
) -> None:
    assert len(POISON[noun]) >= 14
    at_hand = Stored(Message(lane_of(noun), "thief", b"", 1), 1, 0)
    for what, payload in POISON[noun].items():
        error = what_reading_raises(play, noun, payload)
        assert error is not None, f"{what} was taken"
        assert refused(error, at_hand) == at_hand, f"a process would die of {what}: {error!r}"
        assert "\n" not in str(error)
        assert len(str(error)) < 400
    assert what_reading_raises(play, noun, HONEST[noun]) is None


def test_a_decision_of_a_close_that_nobody_scheduled_halts_who_counts_decisions(
    play: Play,
) -> None:
    async def script(ports: Ports) -> None:
        lane = Lane(ports, orders_lane(PORTFOLIO))
        await lane.acquire()
        await lane.publish("thief", decision(close_time=CLOSE + 1))
        reader = ProgressReader(ports, PORTFOLIO, {CLOSE})
        with pytest.raises(ValueError, match="at which no universe closes"):
            await reader.next()

    play(script)
