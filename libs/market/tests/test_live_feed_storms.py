"""For any script of faults that ends, each close is given once and nothing true is lost."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exchange.faults import PAGE_KINDS, REQUEST_KINDS, Fault, Kind
from tests.exchange.feed_runs import FOREVER, MIDNIGHT, SECOND, watch
from tests.exchange.holdings import held
from tests.exchange.prices import Row
from tests.exchange.shapes import MINUTE, SHAPES

CLOSES = 10
SCRIPT_SECONDS = 400
# How long after its end a fault may still cost a candle: a request that hangs, a wait that the
# venue told or did not tell, and a refusal, which ends the questions for its close.
AFTERMATH_SECONDS = {
    Kind.HANG: 10,
    Kind.RATE_ERROR: 120,
    Kind.THROTTLED: 1,
    Kind.BANNED: 1,
    Kind.REFUSED: 20,
}


@st.composite
def faults(draw: st.DrawFn, symbols: list[str]) -> Fault:
    kind = draw(st.sampled_from(list(Kind)))
    start = MIDNIGHT + draw(st.integers(0, SCRIPT_SECONDS)) * SECOND
    end = start + draw(st.integers(1, 150)) * SECOND
    symbol = draw(st.sampled_from([*symbols, None]))
    if kind in REQUEST_KINDS or kind in PAGE_KINDS:
        return Fault(kind, start, end, symbol, rows=draw(st.integers(0, 3)))
    close_time = MIDNIGHT + draw(st.integers(1, CLOSES)) * MINUTE
    if kind is Kind.CORRECTED:
        return Fault(kind, start, FOREVER, symbol, close_time, factor=1.01)
    return Fault(kind, 0, close_time + draw(st.integers(1, 90)) * SECOND, symbol, close_time)


@st.composite
def scripts(draw: st.DrawFn) -> tuple[str, list[str], list[Fault]]:
    venue = draw(st.sampled_from(list(SHAPES)))
    symbols = list(SHAPES[venue].symbols.values())[:2]
    return venue, symbols, draw(st.lists(faults(symbols), max_size=5))


def versions(script: list[Fault], symbol: str, close_time: int, until: int) -> list[Row]:
    """The candles that the exchange held from the close on, as they stood until then."""
    changes = {t for f in script for t in (f.start, f.end) if close_time < t <= until}
    rows = [held(script, symbol, close_time, MINUTE, t) for t in sorted({close_time, *changes})]
    return [row for row in rows if row is not None]


def spoiled(script: list[Fault], symbol: str, close_time: int, now: int) -> bool:
    """Whether the exchange then tells a damaged candle, or holds none."""
    damaged = any(
        f.kind in (Kind.BAD, Kind.OFF_GRID)
        and f.close_time == close_time
        and f.befalls(symbol, now)
        for f in script
    )
    return damaged or held(script, symbol, close_time, MINUTE, now) is None


@settings(max_examples=30)
@given(scripts())
def test_each_close_comes_once_with_what_the_exchange_held_and_nothing_is_lost_after_healing(
    script: tuple[str, list[str], list[Fault]],
) -> None:
    venue, symbols, storm = script
    watched = watch(CLOSES, storm, venue)
    healed = max(
        (
            f.end + AFTERMATH_SECONDS.get(f.kind, 0) * SECOND
            for f in storm
            if f.kind in REQUEST_KINDS or f.kind in PAGE_KINDS
        ),
        default=0,
    )
    times = [closed.bars.close_time for closed in watched.closes]
    assert times == [MIDNIGHT + n * MINUTE for n in range(1, CLOSES + 1)]
    assert watched.exchange.too_early == []
    for closed in watched.closes:
        close_time = closed.bars.close_time
        deadline = close_time + 20 * SECOND
        for place, symbol in enumerate(symbols):
            if symbol in closed.missing:
                assert math.isnan(closed.bars.close[place])
                assert closed.missing[symbol]
                assert deadline < healed or spoiled(storm, symbol, close_time, deadline)
            else:
                known = versions(storm, symbol, close_time, closed.given_at)
                assert float(closed.bars.close[place]) in [row.close for row in known]
                assert float(closed.bars.volume[place]) in [row.volume for row in known]
        assert closed.given_at <= deadline + 10 * SECOND or closed.filled
        for correction in closed.corrections:
            assert correction.close_time < close_time
            assert correction.old != correction.new
    reported = [(r.symbol, r.close_time) for closed in watched.closes for r in closed.refusals]
    assert len(reported) == len(set(reported))
