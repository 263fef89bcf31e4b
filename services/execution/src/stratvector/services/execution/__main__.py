"""`python -m stratvector.services.execution`: the execution service as a process of its own."""

import sys

from stratvector.runtime.process.runner import run_service
from stratvector.services.execution.settings import ExecutionSettings
from stratvector.services.execution.wiring import serve

if __name__ == "__main__":
    sys.exit(run_service("execution", ExecutionSettings, serve))
