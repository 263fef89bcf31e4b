"""settings: what the market_data process is told."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stratvector.runtime.process.settings import ServiceSettings, Whole
from stratvector.trading.flow import BARS_AHEAD_MAX


class MarketDataSettings(ServiceSettings):
    """Publishes the bars of every universe of the session, one message per scheduled close."""

    store: Path
    """folder of its own, for the bars of replays"""
    bars_ahead_max: Whole = Field(default=BARS_AHEAD_MAX, ge=1, le=BARS_AHEAD_MAX)
    """closes that bars may run ahead of the newest decision"""
    closes_per_s_max: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """how fast a replay may go, for who wants to watch it; none is as fast as decisions follow"""
