"""`python -m stratvector.services.execution`: the execution service as a process of its own."""

import os
import sys

# The simulated broker prices an order with one small function of the engine, which takes as long
# interpreted; loading a compiler takes half a second and 80 MB.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

from stratvector.runtime.process.runner import run_service
from stratvector.services.execution.settings import ExecutionSettings
from stratvector.services.execution.wiring import serve

if __name__ == "__main__":
    sys.exit(run_service("execution", ExecutionSettings, serve))
