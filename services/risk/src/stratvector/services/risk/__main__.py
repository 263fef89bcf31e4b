"""`python -m stratvector.services.risk`: the risk service as a process of its own."""

import sys

from stratvector.runtime.process.finding import WANTED
from stratvector.runtime.process.runner import run_service
from stratvector.services.risk.settings import RiskSettings
from stratvector.services.risk.wiring import serve

if __name__ == "__main__":
    sys.exit(run_service("risk", RiskSettings, serve, WANTED))
