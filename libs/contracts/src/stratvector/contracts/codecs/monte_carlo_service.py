"""monte_carlo_service: a question about a portfolio's next day as a scenario, and its answer."""

from stratvector.contracts.v1 import monte_carlo_service_pb2 as pb
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.value_at_risk import DAYS_PER_YEAR, HORIZON_DAYS, LEVEL, Question


def scenario_request(question: Question, simulations: int) -> pb.RunScenarioRequest:
    """Correlated geometric Brownian motion without growth, one step of one day."""
    rows = [value for row in question.correlation for value in row]
    return pb.RunScenarioRequest(
        gbm=pb.GbmParameters(
            drift=[0.0] * len(question.symbols),
            volatility=question.volatilities,
            correlation=rows,
        ),
        initial_prices=question.prices,
        quantities=question.quantities,
        cash=question.cash,
        simulations=simulations,
        time_steps=1,
        step_years=HORIZON_DAYS / DAYS_PER_YEAR,
        seed=question.seed,
        levels=[LEVEL],
    )


def value_at_risk_of(question: Question, result: pb.ScenarioResult) -> ValueAtRisk:
    """The answer as fractions of equity. Raises ValueError for the answer to something else."""
    if result.seed != question.seed or [tail.level for tail in result.tails] != [LEVEL]:
        raise ValueError(
            f"the result has seed {result.seed} and {len(result.tails)} levels; "
            f"asked were seed {question.seed} and level {LEVEL}"
        )
    if not result.initial_value > 0:
        raise ValueError(
            f"the result's initial value is {result.initial_value}; it must be above 0"
        )
    (tail,) = result.tails
    return ValueAtRisk(
        as_of=question.as_of,
        horizon_days=HORIZON_DAYS,
        var_95=tail.value_at_risk / result.initial_value,
        cvar_95=tail.conditional_value_at_risk / result.initial_value,
        simulations=result.simulations,
        seed=result.seed,
        factor=question.factor,
    )
