"""The value at risk beside the decisions: asked on a schedule, recorded once, effective later."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from stratvector.runtime.ports import NoAnswer
from stratvector.services.risk.value_at_risk_queries import AskingSchedule, ValueAtRiskQueries
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.value_at_risk import DailyMarks, Question
from tests.sessions.flat_bars import flat_bars
from tests.sessions.scripted_sessions import one_symbol

DAY = 86_400_000_000_000
SESSION = one_symbol([10.0] * 4, [0.5] * 4)
UNIVERSE = SESSION.portfolio.universes[0]
HELD = {"A": 3}
DAILY = DailyMarks(SESSION.portfolio)
for day in range(40):
    DAILY.observe(day * DAY + 1, [flat_bars(UNIVERSE, day * DAY + 1, 10.0 + day % 7)])


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
    script: Callable[[ValueAtRiskQueries, Oracle], Awaitable[None]], rest_seconds: float = 0.001
) -> None:
    async def run() -> None:
        oracle = Oracle()
        schedule = AskingSchedule(every_hours=24.0, rest_seconds=rest_seconds)
        queries = ValueAtRiskQueries(SESSION.portfolio, oracle, schedule)
        try:
            await script(queries, oracle)
        finally:
            await queries.close()

    asyncio.run(run())


async def settled(queries: ValueAtRiskQueries) -> None:
    """Until the queries may ask again."""
    while queries._asking is not None:
        await asyncio.sleep(0.001)


def test_a_figure_arrives_once_after_it_was_asked_for() -> None:
    async def script(queries: ValueAtRiskQueries, oracle: Oracle) -> None:
        queries.decided(40 * DAY, DAILY, HELD, 100.0)
        await asyncio.sleep(0)
        assert queries.arrived() is None
        oracle.lets.set()
        await settled(queries)
        figure = queries.arrived()
        assert figure is not None
        assert figure.as_of == 40 * DAY
        assert queries.arrived() is None

    play(script)


def test_one_question_at_a_time_and_the_next_when_the_hours_have_passed() -> None:
    async def script(queries: ValueAtRiskQueries, oracle: Oracle) -> None:
        for close in (40 * DAY, 41 * DAY, 42 * DAY):
            queries.decided(close, DAILY, HELD, 100.0)
            await asyncio.sleep(0)
        assert oracle.asked == [40 * DAY]
        oracle.lets.set()
        await settled(queries)
        queries.decided(40 * DAY + DAY // 2, DAILY, HELD, 100.0)
        await settled(queries)
        queries.decided(41 * DAY, DAILY, HELD, 100.0)
        await settled(queries)
        assert oracle.asked == [40 * DAY, 41 * DAY]

    play(script)


def test_a_new_owner_goes_on_from_what_the_log_recorded() -> None:
    async def script(queries: ValueAtRiskQueries, oracle: Oracle) -> None:
        oracle.lets.set()
        queries.recorded(ValueAtRisk(40 * DAY, 1.0, 0.02, 0.03, 10_000, 1))
        queries.decided(40 * DAY + DAY // 2, DAILY, HELD, 100.0)
        await settled(queries)
        assert oracle.asked == []
        queries.decided(41 * DAY, DAILY, HELD, 100.0)
        await settled(queries)
        assert oracle.asked == [41 * DAY]

    play(script)


def test_an_empty_portfolio_under_a_factor_has_the_figure_that_lets_it_grow_again() -> None:
    async def script(queries: ValueAtRiskQueries, oracle: Oracle) -> None:
        queries.decided(40 * DAY, DAILY, {}, 100.0, 0.25)
        figure = queries.arrived()
        assert figure is not None
        assert (figure.var_95, figure.factor, figure.as_of) == (0.0, 0.25, 40 * DAY)
        assert oracle.asked == []

    play(script)


def test_no_answer_is_told_and_asked_again_after_the_rest() -> None:
    async def script(queries: ValueAtRiskQueries, oracle: Oracle) -> None:
        oracle.error = "monte_carlo at here: unavailable: nobody"
        oracle.lets.set()
        queries.decided(40 * DAY, DAILY, HELD, 100.0)
        await settled(queries)
        assert queries.trouble == oracle.error
        assert queries.arrived() is None
        oracle.error = ""
        queries.decided(40 * DAY + 1, DAILY, HELD, 100.0)
        await settled(queries)
        assert (queries.trouble, queries.arrived() is None) == ("", False)

    play(script)


def test_nothing_is_asked_about_an_empty_portfolio_and_the_reason_is_told() -> None:
    async def script(queries: ValueAtRiskQueries, oracle: Oracle) -> None:
        queries.decided(40 * DAY, DAILY, {}, 100.0)
        await settled(queries)
        assert (oracle.asked, queries.trouble) == ([], "nothing is held")

    play(script)


def test_without_a_service_it_says_so_and_a_close_gives_up_what_is_asked() -> None:
    queries = ValueAtRiskQueries(replace(SESSION.portfolio), None)
    queries.decided(40 * DAY, DAILY, HELD, 100.0)
    assert queries.trouble == "no Monte Carlo service is configured"

    async def script(queries: ValueAtRiskQueries, oracle: Oracle) -> None:
        queries.decided(40 * DAY, DAILY, HELD, 100.0)
        await asyncio.sleep(0)

    play(script)


def test_a_close_while_an_answer_is_awaited_does_not_wait_for_the_rest() -> None:
    async def script(queries: ValueAtRiskQueries, oracle: Oracle) -> None:
        queries.decided(40 * DAY, DAILY, HELD, 100.0)
        await asyncio.sleep(0)
        assert oracle.asked == [40 * DAY]
        closed, _ = await asyncio.wait([asyncio.create_task(queries.close())], timeout=30.0)
        assert closed

    play(script, rest_seconds=86_400.0)
