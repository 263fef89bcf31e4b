"""`python -m stratvector.services.gateway`: the gateway as a process of its own."""

import sys

from stratvector.runtime.process.runner import run_service
from stratvector.services.gateway.settings import GatewaySettings
from stratvector.services.gateway.wiring import serve

if __name__ == "__main__":
    sys.exit(run_service("gateway", GatewaySettings, serve))
