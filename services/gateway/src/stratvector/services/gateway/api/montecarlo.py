"""montecarlo: the scenarios that can be run."""

from fastapi import APIRouter

from stratvector.services.gateway.api.asking import Gateway
from stratvector.services.gateway.api.values import Shape

router = APIRouter(prefix="/api/montecarlo", tags=["montecarlo"])


class ScenarioShape(Shape):
    """What a scenario models, and where it comes from."""

    name: str
    summary: str
    source: str


class Scenarios(Shape):
    """Ordered by name."""

    scenarios: list[ScenarioShape]


@router.get("/scenarios")
async def get_scenarios(context: Gateway) -> Scenarios:
    """What monte_carlo can run."""
    return Scenarios(
        scenarios=[
            ScenarioShape(name=one.name, summary=one.summary, source=one.source)
            for one in await context.monte_carlo.scenarios()
        ]
    )
