"""`python -m stratvector.services.market_data`: the market_data service as a process of its own."""

import sys
from dataclasses import replace

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.runner import run_service
from stratvector.services.market_data.settings import MarketDataSettings
from stratvector.services.market_data.wiring import build


def serve(settings: MarketDataSettings, deployment: Deployment, ports: Ports) -> Tasks:
    """The same parts as everywhere, as far ahead of decisions and as fast as told."""
    limited = replace(deployment, bars_ahead_max=settings.bars_ahead_max)
    return build(limited, ports, settings.closes_per_s_max)


if __name__ == "__main__":
    sys.exit(run_service("market_data", MarketDataSettings, serve))
