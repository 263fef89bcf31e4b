"""`python -m stratvector.services.ledger`: the ledger service as a process of its own."""

import os
import sys

# Two small functions of the engine split a fill; loading a compiler costs more than they do.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

from stratvector.runtime.process.runner import run_service
from stratvector.services.ledger.settings import LedgerSettings
from stratvector.services.ledger.wiring import serve

if __name__ == "__main__":
    sys.exit(run_service("ledger", LedgerSettings, serve))
