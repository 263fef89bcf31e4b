"""portfolios: what has begun: each portfolio in each of its runs."""

from typing import Literal

from fastapi import APIRouter

from stratvector.services.gateway.api.asking import Gateway
from stratvector.services.gateway.api.values import Shape, Time, time_of
from stratvector.services.gateway.context import PortfolioContext

router = APIRouter(prefix="/api/portfolios", tags=["portfolio"])


class BegunPortfolio(Shape):
    """A portfolio in a run. state : waiting (no close is decided yet), running or finished.

    close_time : of its newest decision.
    """

    portfolio: str
    run: str
    state: Literal["waiting", "running", "finished"]
    close_time: Time | None


class BegunPortfolios(Shape):
    """In the order in which they began: what names none is answered about the last."""

    portfolios: list[BegunPortfolio]


@router.get("")
async def get_portfolios(gateway: Gateway) -> BegunPortfolios:
    """Every portfolio in every run that has begun."""
    return BegunPortfolios(portfolios=[_shape(one) for one in gateway.portfolios.values()])


def _shape(context: PortfolioContext) -> BegunPortfolio:
    live = context.live
    return BegunPortfolio(
        portfolio=live.portfolio.name,
        run=live.portfolio.run,
        state=live.state,
        close_time=None if live.decision is None else time_of(live.decision.close_time),
    )
