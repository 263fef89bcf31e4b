"""`python -m stratvector.services.drift`: the drift service as a process of its own."""

import sys

from stratvector.runtime.process.runner import run_service
from stratvector.services.drift.settings import DriftSettings
from stratvector.services.drift.wiring import serve

if __name__ == "__main__":
    sys.exit(run_service("drift", DriftSettings, serve))
