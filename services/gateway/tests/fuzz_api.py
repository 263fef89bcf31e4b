"""Schemathesis against a running gateway; not part of the suite, `make fuzz-api` runs it.

It reads the OpenAPI document and sends what fits it and what does not, by every method. Findings
are undeclared statuses and shapes, and wrong values that are taken.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from tests.processes.service_process import ROOT


def test_schemathesis_has_no_findings(in_house: Callable[..., None]) -> None:
    async def ask(house: Any) -> None:
        house.monte_carlo.trouble = ""
        command = [
            os.environ["SCHEMATHESIS"],
            "run",
            f"{house.url}/api/openapi.json",
            f"--max-examples={os.environ.get('EXAMPLES', '100')}",
            "--seed=1",
            "--suppress-health-check=all",
        ]
        running = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        assert await running.wait() == 0

    in_house(ask)
