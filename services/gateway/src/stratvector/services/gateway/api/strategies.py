"""strategies: the models that run, what they want, and how far they have drifted."""

from fastapi import APIRouter

from stratvector.services.gateway.api.asking import Context
from stratvector.services.gateway.api.values import Figure, Shape, Time, figure, time_of

router = APIRouter(prefix="/api/strategies", tags=["strategies"])


class StrategyShape(Shape):
    """One model. weights : targets other than 0, fractions of its budget, null = kept as before.

    last_close : newest close that it has signalled.
    """

    name: str
    strategy: str
    universe: str
    symbols: list[str]
    budget_fraction: float
    last_close: Time | None
    weights: dict[str, Figure]


class Strategies(Shape):
    """Every model of the session, in config order."""

    strategies: list[StrategyShape]


@router.get("")
async def get_strategies(context: Context) -> Strategies:
    """The models that strategy runs."""
    return Strategies(
        strategies=[
            StrategyShape(
                name=model.name,
                strategy=model.strategy,
                universe=model.universe,
                symbols=list(model.symbols),
                budget_fraction=model.budget_fraction,
                last_close=time_of(model.last_close),
                weights={symbol: figure(weight) for symbol, weight in model.weights.items()},
            )
            for model in await context.strategy.models()
        ]
    )
