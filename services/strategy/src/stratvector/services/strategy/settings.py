"""settings: what the strategy process is told."""

from stratvector.runtime.process.settings import ServiceSettings


class StrategySettings(ServiceSettings):
    """Computes each model's target weights at every close and publishes them as signals."""

    own_strategies: bool = False
    """run the code of strategy files that documents bring; whoever may apply a document then runs
    code in this process"""
