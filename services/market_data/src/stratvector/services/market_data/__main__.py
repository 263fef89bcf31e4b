"""`python -m stratvector.services.market_data`: the market_data service as a process of its own."""

import sys

from stratvector.runtime.process.runner import run_service
from stratvector.services.market_data.settings import MarketDataSettings
from stratvector.services.market_data.wiring import serve

if __name__ == "__main__":
    sys.exit(run_service("market_data", MarketDataSettings, serve))
