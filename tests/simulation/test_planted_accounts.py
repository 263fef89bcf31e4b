"""Rules of several accounts broken one by one: each is caught by runs that are quiet without it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stratvector.runtime.fills_reader import FillsReader
from stratvector.runtime.readers import HasEnded, Received
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import SimulationError
from stratvector.services.execution.account_lane import AccountLane
from stratvector.services.execution.bars_gate import NONE_YET, BarsGate, silence_seconds
from stratvector.services.execution.closes import Closes, JudgedCloses
from stratvector.trading import account, replay
from stratvector.trading.carried import Carried
from stratvector.trading.carrying import Carrying
from stratvector.trading.chapters import Chapter
from stratvector.trading.engine.state import Floats
from stratvector.trading.engine_rules import cash_of
from stratvector.trading.fills import FillsReport
from stratvector.trading.portfolio import Portfolio
from tests.sessions.generated_sessions import Shape, generated_session, over_accounts
from tests.sessions.silent_flow import SILENT_SECONDS, Silence, breaches, paced, run, universes_of
from tests.sessions.silent_flow import session_of as paper_session_of
from tests.sessions.simulated_flow import breaches_of, run_flow

SEEDS = 8
SHAPE = Shape(universes=2, symbols=2, models=3, closes=12, warmup=2)
SLOW = Faults(delay_seconds_max=0.4)
REAL_CARRIED, REAL_UNTIL = Carrying.carried, FillsReader.until


def first_breach(monkeypatch: pytest.MonkeyPatch) -> str | None:
    """What the first run says that notices anything."""
    for seed in range(SEEDS):
        session = over_accounts(generated_session(seed, SHAPE), 2, strict=True)
        try:
            flow = run_flow(session, seed, SLOW, (), None, 1, 3)
            found = breaches_of(flow)
        except SimulationError as error:
            return str(error).splitlines()[0]
        found += [
            f"account {name} has {cash}"
            for entry in flow.entries
            for name, cash in entry.accounts.items()
            if cash < 0
        ]
        if found:
            return f"seed {seed}: {found[0]}"
    return None


def first_breach_of_silence(monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The same in runs with deadlines in which a lane of bars falls silent."""
    for seed in range(1, 1 + SEEDS):
        session = over_accounts(paper_session_of(seed), 2)
        silent = universes_of(seed)[0]
        paced(monkeypatch, [Silence(silent, 5.0, 14.0), Silence(silent, 20.0, 22.5)])
        try:
            faults = replace(SLOW, delay_seconds_max=0.05)
            found = breaches(run(session, seed, faults, closes_per_chapter=1 + seed % 4))
        except SimulationError as error:
            return str(error).splitlines()[0]
        if found:
            return f"seed {seed}: {found[0]}"
    return None


def judged_everywhere(self: AccountLane, chapter: Chapter) -> Closes:
    """Planted: each account judges for itself which bars came in time, the second later."""
    seconds = silence_seconds(chapter, self._absent_after_deadlines)
    if self._account != self._portfolio.account_names[0]:
        seconds = {name: value + SILENT_SECONDS for name, value in seconds.items()}
    newest = NONE_YET if chapter.carried is None else chapter.carried.close_time
    gate = BarsGate(self._clock, self._bars, seconds, newest)
    return JudgedCloses(self._bars, gate, self._recorded)


async def of_the_leading_account(self: FillsReader, close_time: int) -> list[Received[FillsReport]]:
    """Planted: who decides waits for the first account alone."""
    return await self._readers[0].until(close_time)


async def leading_after(
    self: FillsReader, close_time: int, has_ended: HasEnded
) -> list[Received[FillsReport]]:
    """Planted: the same in a run with deadlines."""
    return await self._readers[0].after(close_time, has_ended)


def the_sum_for_each(portfolio: Portfolio) -> tuple[float, Floats]:
    """Planted: every account may spend what all of them have."""
    total, each = cash_of(portfolio)
    return total, each * 0.0 + total


def swapped(self: Carrying, *arguments: object) -> Carried:
    """Planted: a chapter begins with the cash of one account in another."""
    whole = REAL_CARRIED(self, *arguments)  # type: ignore[arg-type]
    cash = [one.cash for one in reversed(whole.accounts)]
    pairs = zip(whole.accounts, cash, strict=True)
    return replace(whole, accounts=tuple(replace(one, cash=other) for one, other in pairs))


def test_a_second_judge_of_bars_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_breach_of_silence(monkeypatch) is None
    monkeypatch.setattr(AccountLane, "_closes_of", judged_everywhere)
    assert first_breach_of_silence(monkeypatch) is not None


def test_runs_without_a_bug_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_breach(monkeypatch) is None


def plant_another_accounts_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccountLane, "_is_ours", lambda self, symbol: True)


def plant_a_decision_before_the_second_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FillsReader, "until", of_the_leading_account)
    monkeypatch.setattr(FillsReader, "after", leading_after)


def plant_cash_checked_on_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "cash_of", the_sum_for_each)
    monkeypatch.setattr(account, "cash_of", the_sum_for_each)


def plant_swapped_cash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Carrying, "carried", swapped)


@pytest.mark.parametrize(
    "plant",
    [
        plant_another_accounts_orders,
        plant_a_decision_before_the_second_report,
        plant_cash_checked_on_the_sum,
        plant_swapped_cash,
    ],
)
def test_a_broken_rule_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert first_breach(monkeypatch) is not None
