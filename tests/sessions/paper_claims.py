"""What must hold of a paper run's log, whatever befell the exchange and the services."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stratvector.market.timeframes import timeframe
from stratvector.runtime.logged_session import LoggedSession
from stratvector.trading import replay
from stratvector.trading.bars import FIELDS, ClosedBars
from stratvector.trading.fills import FillKind
from stratvector.trading.logged import SessionLog
from stratvector.trading.parity import Parity, check
from stratvector.trading.timestamps import utc_text
from tests.exchange.faults import Fault
from tests.exchange.holdings import held

# Later words on a close are met within its next few; the newest may not have been asked again.
UNSETTLED_CLOSES = 3


def assert_parity(session: LoggedSession, log: SessionLog) -> Parity:
    """The log is what the engine says, by its cuts and by a backtest of its bars."""
    parity = check(log, session, session.whole(log), chapter=session.chapter)
    assert parity.first is None, parity.first
    assert parity.notes == ()
    return parity


def assert_backtest(session: LoggedSession, log: SessionLog) -> None:
    """The recorded bars give the same orders."""
    outcome = replay.run(session.whole(log))
    ours = [close.decision.noun.orders for close in log.closes]
    assert [decision.orders for decision in outcome.decisions[: len(ours)]] == ours


def assert_each_close_once(session: LoggedSession, log: SessionLog) -> None:
    """Every close of each universe from the warm-up's first on, in order, none left out."""
    for universe in session.portfolio.universes:
        step = timeframe(universe.timeframe).nanoseconds
        closes = [section.close_time for section in sections_of(log, universe.name)]
        warmup = session.source(universe.name)["load"]["warmup_closes"]
        first = (session.start - 1) // step * step - (warmup - 1) * step
        assert closes == [first + n * step for n in range(len(closes))]
        assert len(log.warmup[universe.name]) == warmup


def assert_no_order_without_a_bar(log: SessionLog) -> None:
    """No order was decided on a bar that is missing, and each execution happened in one that is
    there. Of a symbol that does not close, only a halt orders: the way out.
    """
    for close in log.closes:
        decision, when = close.decision.noun, utc_text(close.close_time)
        prices = {
            symbol: price
            for section in close.sections
            for symbol, price in zip(section.symbols, section.close.tolist(), strict=True)
        }
        there = {symbol for symbol, price in prices.items() if not np.isnan(price)}
        ordered = {order.symbol for order in decision.orders}
        assert not ordered & (prices.keys() - there), when
        assert ordered <= there or decision.halted or decision.reduce_only, when
        assert {e.symbol for e in close.events if e.kind is FillKind.FILLED} <= there, when


def unreported(
    session: LoggedSession,
    log: SessionLog,
    faults: Sequence[Fault],
    reports: Sequence[Mapping[str, Any]],
    now: int,
) -> list[str]:
    """Candles that the exchange now says otherwise than they were published, and no report tells.

    reports : market_data's log lines about late and corrected candles. now : UTC there, ns.
    """
    told = {(line["symbol"], line["close"], tuple(line["now"])) for line in reports}
    found: list[str] = []
    for universe in session.portfolio.universes:
        step = timeframe(universe.timeframe).nanoseconds
        for section in sections_of(log, universe.name)[:-UNSETTLED_CLOSES]:
            for place, symbol in enumerate(universe.symbols):
                row = held(faults, symbol, section.close_time, step, now)
                newest = None if row is None else tuple(getattr(row, name) for name in FIELDS)
                published = tuple(float(getattr(section, name)[place]) for name in FIELDS)
                line = symbol, utc_text(section.close_time), newest
                if newest not in (None, published) and line not in told:
                    found.append(f"{symbol} at {line[1]}: {published} published, {newest} told")
    return found


def sections_of(log: SessionLog, universe: str) -> list[ClosedBars]:
    """A universe's bars, warm-up first, as far as closes are complete."""
    sections = [section for close in log.closes for section in close.sections]
    return [
        *(logged.noun for logged in log.warmup[universe]),
        *(section for section in sections if section.universe == universe),
    ]


def missing_of(log: SessionLog) -> int:
    """Candles that are missing in the closes that trade."""
    return sum(
        int(np.isnan(section.close).sum()) for close in log.closes for section in close.sections
    )
