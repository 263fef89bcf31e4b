"""settings: what the execution process is told."""

from stratvector.runtime.process.settings import ServiceSettings


class ExecutionSettings(ServiceSettings):
    """Claims and sends approved orders and records what the broker did as fills."""
