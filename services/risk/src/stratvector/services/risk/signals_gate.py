"""signals_gate: whose signals a decision uses in a run with deadlines. It is judged here, once; the
decision's cut is the record that everybody else follows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import structlog

from stratvector.runtime.ports import Clock
from stratvector.runtime.signals_reader import SignalsReader
from stratvector.trading.logged import Logged
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.signals import Signals


class SignalsGate:
    """For the owner of an orders lane. late : by model, how often its signals were."""

    def __init__(self, clock: Clock, deadline_seconds: float) -> None:
        self._clock, self._deadline_seconds = clock, deadline_seconds
        self.late = Counter[str]()

    async def in_time(
        self,
        readers: Mapping[str, SignalsReader],
        close_time: int,
        models: Sequence[ModelAllocation],
    ) -> dict[str, Logged[Signals]]:
        """The signals that are in the log by the deadline, which is the same for all models.

        close_time : ns UTC, of which everything but signals is there.
        """
        until = self._clock.monotonic_seconds() + self._deadline_seconds
        used = dict[str, Logged[Signals]]()
        for model in models:
            reader = readers[model.name]
            received = await reader.by(close_time, until)
            if received is not None:
                used[model.name] = received
                continue
            self.late[model.name] += 1
            log = structlog.get_logger("stratvector.risk")
            log.warning("signals late", lane=reader.lane, close_time=close_time)
        return used
