"""The compiled model equals a second reading of its formulas, in plain Python."""

import math
from statistics import NormalDist, fmean, stdev

import pytest

from stratvector.montecarlo import GeometricBrownianMotion

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF

DRIFT, VOLATILITY, RHO = (0.05, -0.1), (0.2, 0.5), 0.6
PRICES, QUANTITIES, CASH = (100.0, 40.0), (3.0, -1.5), 25.0
PATHS, STEPS, YEARS, SEED = 100, 5, 0.1, 2**40 + 7


def philox(counter: list[int], key: list[int]) -> list[int]:
    for _ in range(10):
        first, second = MULTIPLIERS[0] * counter[0], MULTIPLIERS[1] * counter[2]
        counter = [
            (second >> 32) ^ counter[1] ^ key[0],
            second & WORD,
            (first >> 32) ^ counter[3] ^ key[1],
            first & WORD,
        ]
        key = [(word + step) & WORD for word, step in zip(key, WEYL, strict=True)]
    return counter


def shock(path: int, step: int, asset: int) -> float:
    block = philox([path & WORD, path >> 32, step, asset], [SEED & WORD, SEED >> 32])
    bits = block[0] | block[1] << 32
    return NormalDist().inv_cdf(((bits >> 12) + 0.5) / 2**52)


def values(path: int) -> list[float]:
    logs, found = [0.0, 0.0], []
    for step in range(STEPS):
        first, second = shock(path, step, 0), shock(path, step, 1)
        moves = (first, RHO * first + math.sqrt(1 - RHO**2) * second)
        for asset in range(2):
            growth = (DRIFT[asset] - VOLATILITY[asset] ** 2 / 2) * YEARS
            logs[asset] += growth + VOLATILITY[asset] * math.sqrt(YEARS) * moves[asset]
        prices = [price * math.exp(log) for price, log in zip(PRICES, logs, strict=True)]
        found.append(CASH + sum(q * p for q, p in zip(QUANTITIES, prices, strict=True)))
    return found


def max_drawdown(path_values: list[float]) -> float:
    peak, deepest = path_values[0], 0.0
    for value in path_values:
        peak = max(peak, value)
        deepest = min(deepest, value / peak - 1)
    return deepest


def test_profit_tail_and_drawdown_are_those_of_the_second_reading() -> None:
    start = CASH + sum(q * p for q, p in zip(QUANTITIES, PRICES, strict=True))
    paths = [values(path) for path in range(PATHS)]
    profits = sorted(path[-1] - start for path in paths)
    drawdowns = sorted(max_drawdown([start, *path]) for path in paths)

    result = GeometricBrownianMotion(DRIFT, VOLATILITY, [[1, RHO], [RHO, 1]]).run(
        PRICES, QUANTITIES, CASH, PATHS, STEPS, YEARS, SEED, levels=[0.9, 0.975]
    )

    def close(value: float) -> object:
        return pytest.approx(value, rel=1e-11, abs=1e-11)

    assert result.initial_value == start
    assert (
        result.statistics
        == {
            "profit_mean": close(fmean(profits)),
            "profit_standard_deviation": close(stdev(profits)),
            "max_drawdown_mean": close(fmean(drawdowns)),
            "var_90": close(-profits[10]),  # the 90th smallest of 100 losses
            "cvar_90": close(-fmean(profits[:11])),
            "var_97_5": close(-profits[2]),  # the 98th: 97 of 100 do not reach 97.5 %
            "cvar_97_5": close(-fmean(profits[:3])),
        }
    )
    assert result.percentiles == {f"p{p}": close(profits[p - 1]) for p in PERCENTS}
    assert result.max_drawdown_percentiles == {f"p{p}": close(drawdowns[p - 1]) for p in PERCENTS}


PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 99)
