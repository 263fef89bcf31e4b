"""`python -m tests.telemetry.untraced_service`: a plain service process that says, once it runs,
which modules of OpenTelemetry it has loaded.
"""

import asyncio
import sys

from stratvector.runtime.host import Service
from stratvector.runtime.process.logs import logger
from stratvector.runtime.process.runner import run_plain_service
from stratvector.runtime.process.settings import ProcessSettings


class UntracedSettings(ProcessSettings):
    """Says what it has loaded."""


async def say_modules() -> None:
    """While gRPC and HTTP ports are open."""
    await asyncio.sleep(0)
    logger().info("loaded", telemetry=[m for m in sys.modules if m.startswith("opentelemetry")])


def build(settings: UntracedSettings) -> Service:
    return Service(main=[say_modules()])


if __name__ == "__main__":
    sys.exit(run_plain_service("untraced", UntracedSettings, build))
