"""`python -m stratvector.strategies.warm` compiles every model into numba's cache."""

from stratvector.strategies import MODELS, create
from stratvector.strategies.trial_bars import trial_bars
from stratvector.trading.strategy import scan


def warm() -> None:
    """Run each registered model once: later processes then find its code and compile nothing."""
    for model_id in MODELS:
        model = create(model_id, {}, bars_per_day=1)
        scan(model, trial_bars(model.history + 1))


if __name__ == "__main__":
    warm()
