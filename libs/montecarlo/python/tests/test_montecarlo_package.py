"""The Python package: what it refuses, and that threads change nothing but the time."""

import math
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import stratvector.montecarlo as package
from stratvector.montecarlo import GeometricBrownianMotion, ScenarioResult

MODEL = GeometricBrownianMotion([0.05, 0.08], [0.2, 0.3], [[1.0, 0.5], [0.5, 1.0]])
LONG_RUN = """
from stratvector.montecarlo import GeometricBrownianMotion
try:
    print("begun", flush=True)
    GeometricBrownianMotion([0.05], [0.2]).run([100.0], num_simulations=10_000_000, threads=1)
except KeyboardInterrupt:
    print("interrupted")
"""


def run(**changed: Any) -> ScenarioResult:
    told = {"initial_prices": [100.0, 50.0], "num_simulations": 20_000, "time_steps": 3, "seed": 7}
    return MODEL.run(**{**told, **changed})


def figures(result: ScenarioResult) -> list[tuple[str, float]]:
    return [
        *result.statistics.items(),
        *result.percentiles.items(),
        *result.max_drawdown_percentiles.items(),
    ]


def test_the_public_names_are_these() -> None:
    assert package.__all__ == ["GeometricBrownianMotion", "ScenarioResult"]


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_any_number_of_threads_gives_the_same_bits(threads: int) -> None:
    assert figures(run(threads=threads)) == figures(run(threads=1))


def test_another_seed_gives_another_result_and_the_same_seed_the_same() -> None:
    assert figures(run(seed=7)) == figures(run(seed=7))
    assert run(seed=8).statistics["var_95"] != run(seed=7).statistics["var_95"]
    assert (run(seed=2**64 - 1).seed, run().simulations) == (2**64 - 1, 20_000)


def test_arrays_are_as_good_as_lists_and_assets_are_independent_unless_told() -> None:
    model = GeometricBrownianMotion(np.array([0.05, 0.08]), np.array([0.2, 0.3]), np.eye(2))
    told = model.run(np.array([100.0, 50.0]), num_simulations=100, seed=7)
    untold = GeometricBrownianMotion([0.05, 0.08], [0.2, 0.3]).run(
        [100.0, 50.0], [1.0, 1.0], num_simulations=100, seed=7
    )
    assert figures(told) == figures(untold)


def test_two_assets_that_move_as_one_are_one_asset_of_twice_the_quantity() -> None:
    twins = GeometricBrownianMotion([0.05] * 2, [0.2] * 2, [[1, 1], [1, 1]]).run([8.0, 8.0], seed=3)
    one = GeometricBrownianMotion([0.05], [0.2]).run([8.0], [2.0], seed=3)
    assert figures(twins) == figures(one)


def test_what_is_not_defined_is_nan() -> None:
    alone = run(num_simulations=1)
    assert math.isnan(alone.statistics["profit_standard_deviation"])
    short = run(quantities=[-1.0, -1.0])
    assert math.isnan(short.statistics["max_drawdown_mean"])
    assert math.isnan(short.max_drawdown_percentiles["p50"])
    assert short.statistics["var_95"] > 0


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"initial_prices": [0.0, 1.0]}, r"initial_prices\[0\] = 0: 0 < initial_prices"),
        ({"initial_prices": [1.0]}, "initial_prices holds 1 assets: it does not equal drift's 2"),
        ({"quantities": [1.0]}, "quantities holds 1 assets: it does not equal initial_prices' 2"),
        ({"cash": math.nan}, "cash = NaN: -infinity < cash < infinity does not hold"),
        ({"num_simulations": 0}, "simulations = 0: 1 <= simulations <= 10000000 does not hold"),
        ({"num_simulations": -1}, "simulations = -1: 1 <= simulations"),
        ({"time_steps": 100_001}, "time_steps = 100001: 1 <= time_steps <= 100000 does not hold"),
        ({"time_steps": 2**40}, "time_steps = 1099511627776: 1 <= time_steps"),
        ({"step_years": 0.0}, "step_years = 0: 0 < step_years < infinity does not hold"),
        ({"seed": -1}, r"seed = -1: 0 <= seed < 2\*\*64 does not hold"),
        ({"levels": [0.95, 1.0]}, r"levels\[1\] = 1: 0 < levels < 1 does not hold"),
        ({"threads": 0}, "threads = 0: 1 <= threads <= 1024 does not hold"),
        ({"step_years": 1e6}, "profit of path 0 = inf"),
    ],
)
def test_a_bad_run_is_refused_in_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        run(**changed)


@pytest.mark.parametrize(
    ("drift", "volatility", "correlation", "sentence"),
    [
        ([], [], [], "drift holds 0 assets: 1 <= assets <= 256 does not hold"),
        ([0.1], [-0.1], None, r"volatility\[0\] = -0.1: 0 <= volatility < infinity does not hold"),
        ([math.nan], [0.1], None, r"drift\[0\] = NaN"),
        ([0.1] * 2, [0.1] * 2, [[1, 0], [0]], r"correlation\[1\] holds 1 entries"),
        ([0.1] * 2, [0.1] * 2, [[1, 2], [2, 1]], r"correlation\[0\]\[1\] = 2: -1 <= correlation"),
        (
            [0.1] * 3,
            [0.1] * 3,
            [[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]],
            "not positive semidefinite: its smallest eigenvalue >= 0 does not hold",
        ),
    ],
)
def test_a_bad_model_is_refused_in_one_sentence(
    drift: list[float], volatility: list[float], correlation: Any, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        GeometricBrownianMotion(drift, volatility, correlation)


def test_other_python_threads_run_meanwhile() -> None:
    begun, ended, turns = threading.Event(), threading.Event(), 0

    def simulate() -> None:
        begun.set()
        run(num_simulations=1_000_000, threads=1)
        ended.set()

    thread = threading.Thread(target=simulate)
    thread.start()
    begun.wait()
    while not ended.wait(0.001):
        turns += 1
    thread.join()
    # A run that kept the interpreter would let this loop turn once or twice.
    assert turns > 20


def test_ctrl_c_ends_a_long_run() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LONG_RUN], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.kill(process.pid, signal.SIGINT)
        # The whole run takes minutes.
        said, _ = process.communicate(timeout=60)
    assert (said, process.returncode) == ("interrupted\n", 0)
