"""Bollinger bands (Bollinger, Bollinger on Bollinger Bands, 2001): a moving average and a width."""

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def bollinger_band(average: Floats, deviation: Floats, width: float, band: Floats) -> None:
    """band = average + width x deviation, a lower band if width < 0; NaN where the average is."""
    for t in range(average.shape[0]):
        for s in range(average.shape[1]):
            band[t, s] = average[t, s] + width * deviation[t, s]
