"""The value at risk beside the decisions: asked on a schedule, recorded once, effective later."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from stratvector.runtime.ports import NoAnswer
from stratvector.services.risk.value_at_risk_desk import AskingSchedule, ValueAtRiskDesk
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.value_at_risk import Question
from tests.sessions.flat_bars import flat_bars
from tests.sessions.scripted_sessions import one_symbol

DAY = 86_400_000_000_000
SESSION = one_symbol([10.0] * 4, [0.5] * 4)
UNIVERSE = SESSION.portfolio.universes[0]
HELD = {"A": 3}


class Oracle:
    """A Monte Carlo service that answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.lets = asyncio.Event()
        self.error = ""

    async def __call__(self, question: Question) -> ValueAtRisk:
        self.asked.append(question.as_of)
        await self.lets.wait()
        if self.error:
            raise NoAnswer(self.error)
        return ValueAtRisk(question.as_of, 1.0, 0.02, 0.03, 10_000, question.seed)


def play(
    script: Callable[[ValueAtRiskDesk, Oracle], Awaitable[None]], rest_seconds: float = 0.001
) -> None:
    async def run() -> None:
        oracle = Oracle()
        schedule = AskingSchedule(every_hours=24.0, rest_seconds=rest_seconds)
        desk = ValueAtRiskDesk(SESSION.portfolio, oracle, schedule)
        for day in range(40):
            desk.observe(day * DAY + 1, [flat_bars(UNIVERSE, day * DAY + 1, 10.0 + day % 7)])
        try:
            await script(desk, oracle)
        finally:
            await desk.close()

    asyncio.run(run())


async def settled(desk: ValueAtRiskDesk) -> None:
    """Until the desk may ask again."""
    while desk._asking is not None:
        await asyncio.sleep(0.001)


def test_a_figure_arrives_once_after_it_was_asked_for() -> None:
    async def script(desk: ValueAtRiskDesk, oracle: Oracle) -> None:
        desk.decided(40 * DAY, HELD, 100.0)
        await asyncio.sleep(0)
        assert desk.arrived() is None
        oracle.lets.set()
        await settled(desk)
        figure = desk.arrived()
        assert figure is not None
        assert figure.as_of == 40 * DAY
        assert desk.arrived() is None

    play(script)


def test_one_question_at_a_time_and_the_next_when_the_hours_have_passed() -> None:
    async def script(desk: ValueAtRiskDesk, oracle: Oracle) -> None:
        for close in (40 * DAY, 41 * DAY, 42 * DAY):
            desk.decided(close, HELD, 100.0)
            await asyncio.sleep(0)
        assert oracle.asked == [40 * DAY]
        oracle.lets.set()
        await settled(desk)
        desk.decided(40 * DAY + DAY // 2, HELD, 100.0)
        await settled(desk)
        desk.decided(41 * DAY, HELD, 100.0)
        await settled(desk)
        assert oracle.asked == [40 * DAY, 41 * DAY]

    play(script)


def test_a_new_owner_goes_on_from_what_the_log_recorded() -> None:
    async def script(desk: ValueAtRiskDesk, oracle: Oracle) -> None:
        oracle.lets.set()
        desk.recorded(ValueAtRisk(40 * DAY, 1.0, 0.02, 0.03, 10_000, 1))
        desk.decided(40 * DAY + DAY // 2, HELD, 100.0)
        await settled(desk)
        assert oracle.asked == []
        desk.decided(41 * DAY, HELD, 100.0)
        await settled(desk)
        assert oracle.asked == [41 * DAY]

    play(script)


def test_an_empty_portfolio_under_a_factor_has_the_figure_that_lets_it_grow_again() -> None:
    async def script(desk: ValueAtRiskDesk, oracle: Oracle) -> None:
        desk.decided(40 * DAY, {}, 100.0, 0.25)
        figure = desk.arrived()
        assert figure is not None
        assert (figure.var_95, figure.factor, figure.as_of) == (0.0, 0.25, 40 * DAY)
        assert oracle.asked == []

    play(script)


def test_no_answer_is_told_and_asked_again_after_the_rest() -> None:
    async def script(desk: ValueAtRiskDesk, oracle: Oracle) -> None:
        oracle.error = "monte_carlo at here: unavailable: nobody"
        oracle.lets.set()
        desk.decided(40 * DAY, HELD, 100.0)
        await settled(desk)
        assert desk.trouble == oracle.error
        assert desk.arrived() is None
        oracle.error = ""
        desk.decided(40 * DAY + 1, HELD, 100.0)
        await settled(desk)
        assert (desk.trouble, desk.arrived() is None) == ("", False)

    play(script)


def test_nothing_is_asked_about_an_empty_portfolio_and_the_reason_is_told() -> None:
    async def script(desk: ValueAtRiskDesk, oracle: Oracle) -> None:
        desk.decided(40 * DAY, {}, 100.0)
        await settled(desk)
        assert (oracle.asked, desk.trouble) == ([], "nothing is held")

    play(script)


def test_a_desk_without_a_service_says_so_and_a_close_gives_up_what_is_asked() -> None:
    desk = ValueAtRiskDesk(replace(SESSION.portfolio), None)
    desk.decided(40 * DAY, HELD, 100.0)
    assert desk.trouble == "no Monte Carlo service is configured"

    async def script(desk: ValueAtRiskDesk, oracle: Oracle) -> None:
        desk.decided(40 * DAY, HELD, 100.0)
        await asyncio.sleep(0)

    play(script)


def test_a_close_while_an_answer_is_awaited_does_not_wait_for_the_rest() -> None:
    async def script(desk: ValueAtRiskDesk, oracle: Oracle) -> None:
        desk.decided(40 * DAY, HELD, 100.0)
        await asyncio.sleep(0)
        assert oracle.asked == [40 * DAY]
        closed, _ = await asyncio.wait([asyncio.create_task(desk.close())], timeout=30.0)
        assert closed

    play(script, rest_seconds=86_400.0)
