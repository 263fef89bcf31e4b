"""settings: what the execution process is told."""

from typing import Annotated

from pydantic import Field

from stratvector.runtime.deployment import ABSENT_AFTER_DEADLINES
from stratvector.runtime.process.settings import ServiceSettings


class ExecutionSettings(ServiceSettings):
    """Claims and sends approved orders and records what the broker did as fills."""

    absent_after_deadlines: Annotated[float, Field(ge=1, allow_inf_nan=False)] = (
        ABSENT_AFTER_DEADLINES
    )
    """deadlines of market_data (`deadline_seconds` of a universe) that a universe may be silent
    while another one has bars, before closes go on without it; replays wait for ever"""
