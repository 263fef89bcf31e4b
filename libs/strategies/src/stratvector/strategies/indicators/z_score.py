"""z-score: how many standard deviations a close lies above its moving average."""

from stratvector.strategies.floats import Floats
from stratvector.trading.engine.compiling import engine_jit


@engine_jit
def z_score(values: Floats, average: Floats, deviation: Floats, score: Floats) -> None:
    """score = (value - average) / deviation; 0 if all closes are equal, NaN where average is."""
    for t in range(values.shape[0]):
        for s in range(values.shape[1]):
            distance = values[t, s] - average[t, s]
            if deviation[t, s] == 0.0:
                score[t, s] = 0.0
            else:
                score[t, s] = distance / deviation[t, s]
