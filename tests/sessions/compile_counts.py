"""`python -m tests.sessions.compile_counts` runs what the product runs, and prints as JSON which
functions numba took from its disk cache and which it compiled. A user's own `decide` is no part of
the product: it is compiled in every process."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numba.core.registry import CPUDispatcher

from stratvector.trading import replay
from stratvector.trading.engine.scan import decide_row
from stratvector.trading.engine.session import indices
from stratvector.trading.engine.sweep import run_columns
from stratvector.trading.engine_rules import cash_of, rules_of
from stratvector.trading.strategy import follow_first_feature
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.live_play import play_live
from tests.sessions.scripted_sessions import one_symbol


def run_everything() -> None:
    """Backtests, live accounts, broker and ledger of one and of many symbols and models; a
    sweep."""
    for models in (1, 3):
        for session in (
            generated_session(1, Shape(models=models)),
            generated_session(2, Shape(universes=1, symbols=1, models=models)),
        ):
            _ = replay.run(session).decisions
            play_live(session)
    decide_row(follow_first_feature, np.ones((2, 1)), np.zeros(0), np.zeros(0))
    session = one_symbol([10.0] * 5, [1.0, 0.0, 1.0, 0.0, 1.0])
    weights, equity = session.weights[np.newaxis].copy(), np.zeros((1, 5))
    rules, fills = rules_of(session.portfolio), np.zeros(1, np.int64)
    axes = (np.ones((5, 1)), *cash_of(session.portfolio), rules, equity, fills)
    run_columns(session.market, weights, *axes, indices(1), indices(1))


def load(path: Path) -> None:
    """Import a module that lies anywhere, and call its function `planted`."""
    spec = importlib.util.spec_from_file_location("stratvector_planted", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.planted(1)


def counts() -> dict[str, list[str]]:
    """Names of the functions that were hits and misses of the cache."""
    found = {"hits": set[str](), "misses": set[str]()}
    for dispatcher in dispatchers():
        name = f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}"
        if dispatcher.stats.cache_hits:
            found["hits"].add(name)
        if dispatcher.stats.cache_misses:
            found["misses"].add(name)
    return {kind: sorted(names) for kind, names in found.items()}


def dispatchers() -> Iterator[CPUDispatcher]:
    """Every compiled function in a module of the product, once."""
    ours = [m for n, m in list(sys.modules.items()) if n.startswith("stratvector")]
    seen = {id(v): v for module in ours for v in vars(module).values()}
    yield from (value for value in seen.values() if isinstance(value, CPUDispatcher))


if __name__ == "__main__":
    for planted in sys.argv[1:]:
        load(Path(planted))
    run_everything()
    sys.stdout.write(json.dumps(counts()))
