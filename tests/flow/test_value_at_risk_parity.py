"""A value at risk that came from outside weighs on later closes, and the log still replays."""

import asyncio
from dataclasses import replace
from pathlib import Path

from stratvector.contracts.codecs import decode_decision, encode_decision
from stratvector.runtime.ports import Kind, Stored
from stratvector.trading.orders import Decision, ValueAtRisk
from stratvector.trading.parity import Parity, check
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.session import Session
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.process_flow import ProcessFlow, Running, kill, run_processes
from tests.sessions.rewritten_log import log_of, rewritten
from tests.sessions.simulated_flow import run_flow

FIGURE = ValueAtRisk(1, 1.0, 0.08, 0.1, 10_000, 3)
SHAPE = Shape(universes=2, symbols=2, models=2, closes=14, warmup=2)


def limited(session: Session, limit: float | None) -> Session:
    portfolio = session.portfolio
    limits = RiskLimits(value_at_risk=limit)
    return replace(session, portfolio=replace(portfolio, limits=limits))


def planted_at_first(session: Session) -> Parity:
    """The check of a calm run's log, in whose first decision somebody wrote a figure."""
    flow = run_flow(session)
    done: list[str] = []

    def change(stored: Stored) -> bytes:
        message = stored.message
        if done or not message.subject.startswith("orders.") or message.kind is not Kind.CONTENT:
            return message.payload
        done.append(message.id)
        return encode_decision(replace(decode_decision(message.payload), value_at_risk=FIGURE))

    log = log_of(rewritten(flow.world.bus.journal, change, None), session)
    assert log.closes[0].decision.noun.value_at_risk == FIGURE
    return check(log, session, session)


def test_a_figure_without_a_limit_changes_nothing() -> None:
    parity = planted_at_first(generated_session(8, SHAPE))
    assert (parity.is_equal, parity.notes) == (True, ())


def test_a_figure_above_the_limit_that_nobody_minded_is_found_at_the_next_close() -> None:
    session = limited(generated_session(8, SHAPE), 0.02)
    parity = planted_at_first(session)
    assert parity.first is not None
    assert parity.first.what == "cut.multipliers"
    assert parity.first.close_time == int(session.schedule.close_times[1])
    assert (parity.first.logged, parity.first.replayed) == ("1.0 1.0", "0.5 0.5")


def figures(decisions: list[Decision]) -> list[ValueAtRisk]:
    return [d.value_at_risk for d in decisions if d.value_at_risk is not None]


def lowest_multiplier(flow: ProcessFlow) -> float:
    return min(min(decision.cut.multipliers) for decision in flow.decisions)


def test_budgets_shrink_by_monte_carlo_and_the_log_replays_also_after_a_kill(
    tmp_path: Path,
) -> None:
    session = limited(generated_session(5, Shape(2, 2, 3, closes=400)), 0.001)

    async def disturb(run: Running) -> None:
        while not any(r for r in [await recorded(run)] if r):
            await asyncio.sleep(0.05)
        before = await run.owner("risk")
        kill(before.pid)
        await run.new_owner("risk", before)

    async def recorded(run: Running) -> int:
        """Decisions so far that hold a figure."""
        page = await run.bus.read(run.lane("risk"), 0, 2_000)
        content = [s for s in page if s.message.kind is Kind.CONTENT]
        return len(figures([decode_decision(s.message.payload) for s in content]))

    flow = run_processes(
        tmp_path,
        session,
        replicas={"monte_carlo": 1},
        disturb=disturb,
        settings={
            "STRATVECTOR_RISK_VALUE_AT_RISK_REST_SECONDS": "0.05",
            "STRATVECTOR_MARKET_DATA_BARS_AHEAD_MAX": "2",
        },
    )
    parity = check(flow.log, session, session)
    assert parity.is_equal, parity.first
    assert parity.is_complete
    assert parity.notes  # a backtest knows no Monte Carlo
    assert lowest_multiplier(flow) < 1.0
    found = figures(flow.decisions)
    assert all(0 <= one.var_95 <= one.cvar_95 < 1 for one in found)
    assert any(one.var_95 > 0 for one in found)
    places = [n for n, d in enumerate(flow.decisions) if d.value_at_risk is not None]
    for place in places[:-1]:
        decided, after = flow.decisions[place], flow.decisions[place + 1]
        assert decided.value_at_risk is not None
        assert decided.value_at_risk.as_of < decided.close_time
        before, var_95 = decided.value_at_risk.factor, decided.value_at_risk.var_95
        step = min(max(0.001 / var_95, 0.5), 2.0) if var_95 > 0 else 2.0
        factor = min(max(before * step, 0.01), 1.0)
        assert after.cut.multipliers == (factor,) * len(session.portfolio.models)
