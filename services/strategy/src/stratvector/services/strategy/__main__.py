"""`python -m stratvector.services.strategy`: the strategy service as a process of its own."""

import sys

from stratvector.runtime.process.runner import run_service
from stratvector.services.strategy.settings import StrategySettings
from stratvector.services.strategy.wiring import serve

if __name__ == "__main__":
    sys.exit(run_service("strategy", StrategySettings, serve))
