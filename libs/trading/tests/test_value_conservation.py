"""No value comes from nowhere: equity is the cash at the start plus what fills and marks gave."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.ledger_fold import LedgerFold
from stratvector.trading.orders import ApprovedOrder, Cut, Decision
from stratvector.trading.session import Session
from tests.sessions.generated_sessions import generated_session
from tests.sessions.live_play import play_live
from tests.sessions.scripted_sessions import Script, scripted_session
from tests.sessions.wild_sessions import wild_session

RELATIVE = Decimal("1e-12")

prices = st.decimals(Decimal("0.01"), Decimal(100_000), places=2)
fees = st.decimals(Decimal(0), Decimal(10_000), places=6)
executions = st.lists(st.tuples(st.integers(1, 10**6), prices, fees), max_size=3)
parts = st.lists(st.integers(0, 10**6), min_size=3, max_size=3).filter(any)
orders = st.tuples(st.sampled_from("AB"), st.sampled_from([1, -1]), parts, executions)


def trading_session(closes: int) -> Session:
    rows = {"A": [20.0] * closes, "B": [7.25] * closes}
    nothing = {"A": [0.0] * closes}
    models = {"x": nothing, "y": nothing, "z": nothing}
    return scripted_session(Script(rows, models, cash=1_000_000, lot_size="0.01"))


def value_of(
    session: Session, events: tuple[FillEvent, ...], closes: int
) -> tuple[Decimal, Decimal]:
    """Equity after so many closes in exact decimals, and the gross amount that was traded."""
    value, gross, lots = session.portfolio.initial_cash, Decimal(0), dict[str, int]()
    sizes = {i.symbol: i.lot_size for i in session.portfolio.instruments}
    for event in events:
        amount = event.lots * sizes[event.symbol] * event.price
        value -= amount + event.commission
        gross += abs(amount)
        lots[event.symbol] = lots.get(event.symbol, 0) + event.lots
    for s, symbol in enumerate(session.portfolio.symbols):
        known = [c for c in session.market.close[:closes, s].tolist() if c == c]
        mark = Decimal(known[-1]) if known else Decimal(0)
        value += lots.get(symbol, 0) * sizes[symbol] * mark
    return value, gross


def conserved(session: Session, events: tuple[FillEvent, ...], closes: int, equity: float) -> bool:
    """Whether an equity is what it must be, to 1e-12 of cash and gross traded."""
    value, gross = value_of(session, events, closes)
    return abs(Decimal(equity) - value) <= RELATIVE * (session.portfolio.initial_cash + gross)


@given(st.lists(orders, max_size=8))
def test_any_orders_and_executions_conserve_value_in_the_account_and_in_the_ledger(
    script: list[tuple[str, int, list[int], list[tuple[int, Decimal, Decimal]]]],
) -> None:
    session = trading_session(len(script) + 1)
    account = PortfolioAccount(session.portfolio)
    ledger = LedgerFold(session.portfolio)
    bars = session.histories["fast"].bars
    events, known = list[FillEvent](), list[FillEvent]()
    for row, close_time in enumerate(session.schedule.close_times.tolist()):
        closed = [bars.closed(row, "fast", "1H")]
        for event in known:
            account.settle(event)
        equity = account.observe(close_time, closed, {})
        order = _order(row, close_time, *script[row][:3]) if row < len(script) else None
        decision = _decision(close_time, equity, order)
        account.place(decision)
        entry = ledger.fold(known, closed, (), decision)
        events += known
        known = _executions(order, script[row][3]) if order else []
    assert conserved(session, tuple(events), len(bars), equity)
    assert entry.equity == value_of(session, tuple(events), len(bars))[0]
    assert sum(m.equity for m in entry.models) + session.portfolio.initial_cash == entry.equity
    assert sum(m.cash for m in entry.models) + session.portfolio.initial_cash == entry.cash
    assert sum(m.commission for m in entry.models) == sum(e.commission for e in events)


def _order(row: int, close_time: int, symbol: str, sign: int, shares: list[int]) -> ApprovedOrder:
    parts = tuple(sign * share for share in shares)
    return ApprovedOrder(f"order-{row}", symbol, sum(parts), parts, Decimal(1), close_time, 0)


def _decision(close_time: int, equity: float, order: ApprovedOrder | None) -> Decision:
    orders = () if order is None else (order,)
    return Decision(
        "scripted", close_time, equity, 0.0, 1.0, False, False, orders, (), (), (), Cut()
    )


def _executions(
    order: ApprovedOrder, script: list[tuple[int, Decimal, Decimal]]
) -> list[FillEvent]:
    """Executions as far as the order goes, and its end."""
    events, left, sign = [], abs(order.lots), 1 if order.lots > 0 else -1
    for number, (lots, price, fee) in enumerate(script):
        filled = min(lots, left)
        left -= filled
        if filled:
            events.append(
                FillEvent(
                    FillKind.FILLED,
                    order.order_id,
                    order.symbol,
                    execution_id=f"{order.order_id}-{number}",
                    lots=sign * filled,
                    price=price,
                    commission=fee,
                )
            )
    return [*events, FillEvent(FillKind.EXPIRED, order.order_id, order.symbol)]


@settings(max_examples=80)
@given(st.integers(0, 10**9), st.booleans())
def test_the_equity_of_a_session_is_its_cash_plus_what_fills_and_marks_gave(
    seed: int, wild: bool
) -> None:
    session = wild_session(seed) if wild else generated_session(seed)
    outcome = replay.run(session)
    fills = tuple(e for e in outcome.events if e.kind is FillKind.FILLED)
    for t, close_time in enumerate(outcome.close_times):
        known = tuple(e for e in fills if e.known_time <= close_time)
        assert conserved(session, known, t + 1, float(outcome.journal.equity[t]))


@settings(max_examples=60)
@given(st.integers(0, 10**9), st.booleans())
def test_the_engine_and_the_ledger_agree_on_equity_to_a_millionth_at_every_close(
    seed: int, wild: bool
) -> None:
    session = wild_session(seed) if wild else generated_session(seed)
    journal = replay.run(session).journal
    for t, entry in enumerate(play_live(session).entries):
        assert abs(float(entry.equity) - journal.equity[t]) < 1e-6
        assert abs(float(entry.cash) - journal.cash[t]) < 1e-6
