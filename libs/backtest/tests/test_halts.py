"""A halt is told with its rule, value, limit and length: in halts, caveats and result.json."""

from dataclasses import replace

import pytest

from stratvector.backtest import Result, document, result_of
from stratvector.trading import replay
from stratvector.trading.halts import Halt, halts_of
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.timestamps import utc_text
from tests.sessions.scripted_sessions import HOUR, START, Script, one_symbol, scripted_session

FALL = [10.0, 10.0, 12.0, 9.0, 9.0, 9.0, 12.0, 12.0]


def at(hour: int) -> int:
    return START + hour * HOUR


@pytest.fixture(scope="module")
def halted() -> Result:
    """All in at 10, a peak at 12, a fall to 9 at hour 3: 25 % below the peak at a limit of 20 %."""
    limits = RiskLimits(gross=1.0, drawdown_halt=0.2)
    return result_of(replay.run(one_symbol(FALL, [1.0] * 8, limits=limits)))


def test_a_drawdown_halt_says_when_why_how_long_and_from_when_it_was_flat(halted: Result) -> None:
    (halt,) = halted.halts
    assert halt.value == pytest.approx(-0.25)
    assert halt == Halt("drawdown_halt", at(3), halt.value, 0.2, 5, None, flat_since=at(4))
    assert halted.halted_since == at(3)
    assert halt.value <= halted.metrics["max_drawdown"] + 1e-12
    told = document(halted, {})
    assert told["halted_since"] == utc_text(at(3))
    assert told["halts"] == [
        {
            "rule": "drawdown_halt",
            "since": utc_text(at(3)),
            "until": None,
            "flat_since": utc_text(at(4)),
            "closes": 5,
            "value": pytest.approx(-0.25),
            "limit": 0.2,
        }
    ]


def test_a_halt_is_a_caveat_with_counts_and_dates(halted: Result) -> None:
    (caveat,) = [c for c in halted.caveats if c.code == "halted"]
    assert caveat.sentence == (
        f"trading was halted for 5 of 8 closes, from {utc_text(at(3))} to the end by a drawdown of "
        f"25.00%, past the limit of 20.00%; flat since {utc_text(at(4))}"
    )
    assert (caveat.first, caveat.last, caveat.count) == (at(3), at(7), 5)
    assert "trading was halted for 5 of 8 closes" in repr(halted)


def test_a_run_that_never_halted_says_so_by_saying_nothing() -> None:
    result = result_of(replay.run(one_symbol(FALL, [1.0] * 8)))
    assert result.halts == ()
    assert result.halted_since is None
    assert document(result, {})["halts"] == []
    assert not [c for c in result.caveats if c.code in ("halted", "daily_loss")]


def test_a_halt_that_somebody_lifts_ends_and_the_next_one_is_another(halted: Result) -> None:
    # As the ledger will hold it once a halt can be lifted: two closes without it in between.
    entries = [
        replace(e, decision=replace(e.decision, halted=e.decision.halted and n not in (5, 6)))
        for n, e in enumerate(halted.entries)
    ]
    first, second = halts_of(entries, halted.session.portfolio).halts
    assert (first.since, first.until, first.closes) == (at(3), at(5), 2)
    assert (second.since, second.until, second.closes) == (at(7), None, 1)


def test_each_day_of_a_daily_loss_is_a_halt_of_its_own_and_one_caveat() -> None:
    closes = [10.0] * 4 + [9.0] * 44 + [8.0] * 4
    script = Script(
        {"A": closes},
        {"model": {"A": [1.0] * len(closes)}},
        limits=RiskLimits(gross=1.0, daily_loss=0.05),
    )
    result = result_of(replay.run(scripted_session(script)))
    first, second = result.halts
    assert (first.rule, first.since, first.until, first.closes) == ("daily_loss", at(4), at(24), 20)
    assert (second.since, second.until, second.closes) == (at(48), None, 4)
    assert first.limit == 0.05
    assert first.value == pytest.approx(-0.1, abs=1e-3)
    assert second.value == pytest.approx(-1 / 9, abs=1e-3)
    assert result.halted_since is None
    (caveat,) = [c for c in result.caveats if c.code == "daily_loss"]
    assert "at 24 of 52 closes, on 2 days" in caveat.sentence
    assert (caveat.first, caveat.last, caveat.count) == (at(4), at(48), 24)
