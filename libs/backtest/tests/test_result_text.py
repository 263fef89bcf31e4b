"""What `print` and a notebook show of a run: a dozen lines, whatever its length."""

import numpy as np
import pytest

from stratvector.backtest import Backtest, Result
from stratvector.trading import replay
from stratvector.trading.bars import Bars
from tests.sessions.buy_and_hold import DAY_NS, BuyAndHold, panel

LINES_MAX, CHARACTERS_MAX = 15, 1_500


@pytest.fixture(scope="module")
def backtest() -> Backtest:
    """Sixty symbols with long names over 150 days."""
    random = np.random.default_rng(2)
    moves = 1.0 + random.normal(0.0, 0.01, (150, 60))
    close = np.asarray(100.0 * np.cumprod(moves, axis=0), np.float64)
    times = (18_000 + np.arange(150, dtype=np.int64)) * DAY_NS
    symbols = tuple(f"SYMBOL-{n:02}" for n in range(60))
    return Backtest(Bars(symbols, times, close, close, close, close, close), BuyAndHold())


@pytest.fixture(scope="module")
def result(backtest: Backtest) -> Result:
    """Its run."""
    return backtest.run()


def test_a_result_prints_as_a_dozen_lines_with_what_ran_and_what_it_was_worth(
    result: Result,
) -> None:
    lines = str(result).splitlines()
    assert len(lines) <= LINES_MAX
    assert all(len(line) < 100 for line in lines)
    assert lines[0] == (
        "Result of backtest: buy_and_hold over SYMBOL-00, SYMBOL-01, SYMBOL-02 and 57 more"
    )
    text = str(result)
    for shown in (
        "150 from 2019-04-14T00:00:00Z to 2019-09-10T00:00:00Z",
        f"100,000.00 to {result.final_equity:,.2f}",
        f"Sharpe {result.metrics['sharpe_ratio']:.2f}",
        f"{result.metrics['max_drawdown']:.2%} at any close",
        f"{len(result.fills):,} fills",
        "buy and hold of the universe",
        "to_pandas()",
    ):
        assert shown in text
    assert repr(result) == text


def test_a_short_result_says_what_is_undefined_and_why() -> None:
    text = str(Backtest(panel([[100.0], [101.0], [102.0]]), BuyAndHold()).run())
    assert "Sharpe undefined" in text
    assert "2 daily returns over 2.00 days tell no year" in text


def test_the_html_form_says_the_same_and_escapes_names() -> None:
    bars = panel([[100.0], [101.0], [102.0]])
    close = bars.close
    named = Bars(("<A&B>",), bars.close_times, close, close, close, close, bars.volume)
    html = Backtest(named, BuyAndHold()).run()._repr_html_()
    assert html.startswith("<table>")
    assert html.endswith("</table>")
    assert "buy_and_hold over &lt;A&amp;B&gt;" in html
    assert "<A&B>" not in html


def test_nothing_that_holds_arrays_prints_them(backtest: Backtest, result: Result) -> None:
    session = backtest.session
    history = session.histories["bars"]
    outcome = replay.run(session)
    for shown in (
        result,
        session,
        history,
        history.bars,
        history.bars.closed(3, "bars", "1D"),
        session.schedule,
        session.market,
        session.scans["buy_and_hold"],
        session.compared_with,
        outcome,
        outcome.journal,
    ):
        assert len(repr(shown)) < CHARACTERS_MAX, type(shown)
    assert repr(history.bars) == (
        "Bars(60 symbols (SYMBOL-00, SYMBOL-01, SYMBOL-02, ...), 150 closes, "
        "2019-04-14T00:00:00Z to 2019-09-10T00:00:00Z)"
    )
    assert repr(history.bars.window(0, 0)).endswith(", 0 closes)")
