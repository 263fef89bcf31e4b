"""settings: what the risk process is told."""

from typing import Annotated

from pydantic import Field

from stratvector.runtime.deployment import SIGNALS_DEADLINE_SECONDS
from stratvector.runtime.process.settings import Seconds, ServiceSettings, Whole
from stratvector.trading.chapters import CLOSES_PER_CHAPTER


class RiskSettings(ServiceSettings):
    """Decides at every close of a portfolio and publishes the approved orders."""

    closes_per_chapter: Annotated[Whole, Field(ge=1_000)] = CLOSES_PER_CHAPTER
    """decisions after which the next chapter opens; whoever starts reads so many again at most"""
    signals_deadline_seconds: Seconds = SIGNALS_DEADLINE_SECONDS
    """seconds that signals of a close may come after its bars and fills, before the decision goes
    without them; replays wait for ever"""
    monte_carlo_grpc: str | None = None
    """host:port of the Monte Carlo service that is asked for the value at risk; none asks nobody"""
    value_at_risk_every_hours: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 24.0
    """hours of event time between two questions for the value at risk"""
    value_at_risk_rest_seconds: Seconds = 1.0
    """least seconds on the clock between them"""
    value_at_risk_simulations: Annotated[Whole, Field(ge=1_000, le=10_000_000)] = 10_000
    """paths of each answer"""
