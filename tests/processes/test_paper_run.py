"""Live candles through every service as processes, over the loopback exchange, in a short storm."""

from collections.abc import Callable
from pathlib import Path

from tests.exchange.faults import Fault, Kind
from tests.exchange.prices import NANOSECONDS_PER_SECOND
from tests.exchange.shapes import MINUTE
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

# 04:00, when a candle of four hours closes too, of a day on which prices rise and models trade.
FOUR = 1_699_156_800 * NANOSECONDS_PER_SECOND
ORIGIN = FOUR - 20 * MINUTE
RATE = 60.0


def storm(base: int) -> list[Fault]:
    """What the exchange does wrong in the quarter of an hour after a close, ns UTC."""

    def at(minute: float) -> int:
        return base + round(minute * MINUTE)

    return [
        Fault(Kind.OUTAGE, at(0.5), at(2.2)),
        Fault(Kind.THROTTLED, at(3), at(3.4)),
        Fault(Kind.LATE, 0, at(6.5), "BTC-USDT", at(5)),
        Fault(Kind.CORRECTED, at(7.9), 2**62, "ETH-USDT", at(7), factor=1.01),
        Fault(Kind.TWICE, at(8.9), at(9.9)),
        Fault(Kind.REVERSED, at(9.9), at(10.9)),
        Fault(Kind.PARTIAL, at(10.9), at(11.9), rows=2),
        Fault(Kind.BAD, 0, at(13.5), "ETH-USDT", at(12)),
    ]


def test_a_short_storm_ends_in_parity_with_every_late_datum_reported(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    async def play(run: PaperRun) -> None:
        await run.until(FOUR)
        base = (run.now() // MINUTE + 1) * MINUTE
        faults = storm(base)
        run.exchange.fail(faults)
        await run.until(base + 8 * MINUTE)
        assert_parity(*await run.log())
        pid = run.platform.children["market_data"].pid
        assert pid is not None
        kill(pid)
        await run.until(base + 18 * MINUTE)
        session, log = await run.log()
        parity = assert_parity(session, log)
        assert_backtest(session, log)
        assert_each_close_once(session, log)
        assert_no_order_without_a_bar(log)
        reports = [*run.said("candle late"), *run.said("candle corrected")]
        assert unreported(session, log, faults, reports, run.now()) == []
        assert any("market_data" in line and "SIGKILL" in line for line in run.told)
        assert parity.orders > 0
        assert parity.fills > 0
        assert {len(close.bars) for close in log.closes} == {1, 2}
        say(
            f"paper: {len(log.closes)} closes, {parity.orders} orders, {parity.fills} fills, "
            f"{missing_of(log)} candles missing, {len(reports)} late or corrected; parity equal"
        )

    run_paper_processes(tmp_path, ORIGIN, RATE, play)
