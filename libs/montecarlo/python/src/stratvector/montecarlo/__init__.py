"""Monte Carlo: simulated futures of a portfolio, the same bits from any number of threads.

    model = GeometricBrownianMotion(drift=[0.05], volatility=[0.2])
    result = model.run(initial_prices=[100.0], seed=7)
    result.statistics["var_95"], result.percentiles["p5"]

The Monte Carlo service computes with the same code: equal parameters give equal bits.
"""

from stratvector.montecarlo.native import GeometricBrownianMotion, ScenarioResult

__all__ = ["GeometricBrownianMotion", "ScenarioResult"]
