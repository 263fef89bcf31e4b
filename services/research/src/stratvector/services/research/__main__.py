"""`python -m stratvector.services.research`: the research service as a process of its own."""

import sys

from stratvector.runtime.process.runner import run_plain_service
from stratvector.services.research.settings import ResearchSettings
from stratvector.services.research.wiring import build

if __name__ == "__main__":
    sys.exit(run_plain_service("research", ResearchSettings, build))
