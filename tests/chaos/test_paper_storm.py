"""Three virtual days of one-minute and four-hour candles, a storm at the exchange, ten kills."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from stratvector.trading.flow import SERVICES
from tests.exchange.faults import Fault, Kind
from tests.exchange.prices import NANOSECONDS_PER_SECOND
from tests.exchange.shapes import HOUR, MINUTE
from tests.sessions.paper_claims import (
    assert_backtest,
    assert_each_close_once,
    assert_no_order_without_a_bar,
    assert_parity,
    missing_of,
    unreported,
)
from tests.sessions.paper_flow import PaperRun, run_paper_processes
from tests.sessions.process_flow import kill

ORIGIN = 1_699_156_800 * NANOSECONDS_PER_SECOND  # 04:00 of a day on which prices rise
RATE = 240.0  # three days take eighteen minutes
DAYS, KILLS, CHECKS = 3, 10, 6
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
FOR_EVER = 2**62


def storm(dice: random.Random, base: int) -> list[Fault]:
    """Twenty faults over three days: the venue's five times each way, and candles'."""
    times = [base + round((n + dice.random()) * DAYS * 24 * HOUR / 21) for n in range(20)]
    times = [time // MINUTE * MINUTE for time in times]
    dice.shuffle(times)
    spans = {Kind.OUTAGE: 12.0, Kind.UNAVAILABLE: 4.0, Kind.THROTTLED: 3.0, Kind.BANNED: 2.0}
    spans |= {Kind.GARBAGE: 3.0, Kind.PARTIAL: 20.0, Kind.TWICE: 30.0, Kind.REVERSED: 30.0}
    faults = []
    for kind in (*spans, Kind.OUTAGE, Kind.THROTTLED, Kind.PARTIAL):
        start = times.pop() + 40 * NANOSECONDS_PER_SECOND
        faults.append(Fault(kind, start, start + round(spans[kind] * MINUTE), rows=1))
    while times:
        close, symbol = times.pop(), dice.choice(SYMBOLS[:2])
        kind = (Kind.LATE, Kind.CORRECTED, Kind.BAD)[len(times) % 3]
        if kind is Kind.CORRECTED:
            start = close + round(dice.uniform(0.8, 2.0) * MINUTE)
            faults.append(Fault(kind, start, FOR_EVER, symbol, close, factor=1.02))
        else:
            faults.append(Fault(kind, 0, close + round(1.5 * MINUTE), symbol, close))
    assert len(faults) == 20
    return faults


@pytest.mark.long
def test_three_days_of_candles_with_a_storm_and_ten_kills_stay_equal(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    dice, killed = random.Random(11), list[str]()

    async def play(run: PaperRun) -> None:
        await run.until(ORIGIN + 4 * HOUR)
        base = (run.now() // MINUTE + 1) * MINUTE
        faults = storm(dice, base)
        run.exchange.fail(faults)
        end = base + DAYS * 24 * HOUR
        moments = sorted(dice.uniform(0.02, 0.95) for _ in range(KILLS))
        checks = [(n + 1) / (CHECKS + 1) for n in range(CHECKS)]
        for moment, is_kill in sorted(
            [*((m, True) for m in moments), *((c, False) for c in checks)]
        ):
            await run.until(base + round(moment * (end - base)))
            if is_kill:
                killed.append(await _kill(run, dice.choice(SERVICES)))
            else:
                assert_parity(*await run.log())
        await run.until(end)
        session, log = await run.log()
        parity = await asyncio.to_thread(assert_parity, session, log)
        assert_backtest(session, log)
        assert_each_close_once(session, log)
        assert_no_order_without_a_bar(log)
        reports = [*run.said("candle late"), *run.said("candle corrected")]
        assert unreported(session, log, faults, reports, run.now()) == []
        assert len(_kills(run)) == KILLS
        assert parity.orders > 0
        say(
            f"paper storm: {len(log.closes)} closes, {parity.orders} orders, {parity.fills} fills, "
            f"{missing_of(log)} candles missing, {len(reports)} late or corrected, killed "
            f"{', '.join(killed)}; parity equal"
        )

    run_paper_processes(tmp_path, ORIGIN, RATE, play)


async def _kill(run: PaperRun, service: str) -> str:
    """kill -9; its supervisor starts it again."""
    child, told = run.platform.children[service], len(_kills(run))
    while len(_kills(run)) == told:  # one that is just ending is not killed once more
        if (pid := child.pid) is not None:
            kill(pid)
        await asyncio.sleep(0.1)
    return service


def _kills(run: PaperRun) -> list[str]:
    return [line for line in run.told if "SIGKILL" in line]
