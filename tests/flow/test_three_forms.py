"""One model in the three forms that a strategy can have: the same weights, fills and equity."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.backtest import Backtest
from stratvector.strategies import (
    Context,
    EventStrategy,
    Floats,
    MeanReversionStrategy,
    MomentumStrategy,
    Panel,
    Strategy,
    per_symbol,
    scan,
    strategy,
    trial_bars,
)
from stratvector.trading.live_model import LiveModel


@strategy(history="long_window")
def momentum(bars: Panel, short_window: int = 10, long_window: int = 30) -> Floats:
    """MomentumStrategy as a function."""
    average = bars.indicators.sma
    above = average(short_window) > average(long_window)
    return np.where(above, 1.0 / len(bars.symbols), 0.0)


class Momentum(EventStrategy):
    """MomentumStrategy in events."""

    short_window: int = 10
    long_window: int = 30
    history = "long_window"

    def on_bar(self, context: Context) -> None:
        short = context.indicators.sma(self.short_window)
        long = context.indicators.sma(self.long_window)
        for symbol in context.symbols:
            if short[symbol] > long[symbol]:
                context.buy(symbol)
            else:
                context.sell(symbol)


class MeanReversion(EventStrategy):
    """MeanReversionStrategy in events; it remembers what is held, as the compiled one does."""

    window: int = 20
    threshold: float = 2.0
    history = "window"
    state = {"held": per_symbol(0.0)}  # noqa: RUF012

    def on_bar(self, context: Context) -> None:
        score, held = context.indicators.z_score(self.window), context.state["held"]
        for symbol in context.symbols:
            if score[symbol] < -self.threshold:
                held[symbol] = 1.0
            elif score[symbol] >= 0.0:
                held[symbol] = 0.0
            context.target(symbol, held[symbol] / len(context.symbols))


anything = given(
    seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.2, 0.6]), symbols=st.integers(1, 4)
)


@settings(max_examples=10, deadline=None)
@anything
def test_momentum_in_three_forms_has_the_same_weights_and_fills(
    seed: int, gaps: float, symbols: int
) -> None:
    bars = trial_bars(60, symbols, seed, gaps)
    forms: list[Strategy] = [MomentumStrategy(3, 8), momentum(3, 8), Momentum(3, 8)]
    compiled, *others = (scan(form, bars) for form in forms)
    for other in others:
        assert other.weights.tobytes() == compiled.weights.tobytes()
        assert other.confidence.tobytes() == compiled.confidence.tobytes()
    first, *rest = (Backtest(bars, form).run() for form in forms)
    columns = ["fill_time", "known_time", "symbol", "lots", "price", "commission"]
    for result in rest:
        assert result.fills.select(columns).equals(first.fills.select(columns))
        assert result.equity["equity"].equals(first.equity["equity"])


@settings(max_examples=20, deadline=None)
@anything
def test_a_model_with_memory_has_the_same_weights_compiled_and_in_events(
    seed: int, gaps: float, symbols: int
) -> None:
    bars = trial_bars(60, symbols, seed, gaps)
    compiled = scan(MeanReversionStrategy(6, 0.8), bars)
    events = scan(MeanReversion(6, 0.8), bars)
    assert events.weights.tobytes() == compiled.weights.tobytes()
    assert events.states[:, symbols:].tobytes() == compiled.states.tobytes()


@settings(max_examples=8, deadline=None)
@anything
def test_the_forms_say_the_same_live(seed: int, gaps: float, symbols: int) -> None:
    bars = trial_bars(30, symbols, seed, gaps)
    for form in (MomentumStrategy(3, 8), momentum(3, 8), Momentum(3, 8), MeanReversion(6, 0.8)):
        model, whole = LiveModel(form, bars.symbols), scan(form, bars)
        for t in range(len(bars)):
            model.observe(bars.closed(t, "u", "1D"))
            weights = np.array([row.weight for row in model.rows()])
            assert weights.tobytes() == whole.weights[t].tobytes()
