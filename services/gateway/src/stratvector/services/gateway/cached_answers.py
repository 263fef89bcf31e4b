"""cached_answers: what the console shows of strategy, drift and risk, asked every two seconds for
all pages together.
"""

from collections.abc import Awaitable
from typing import TypeVar

from stratvector.runtime.peer import PeerError
from stratvector.services.gateway.clients.drift import DriftClient, Score
from stratvector.services.gateway.clients.risk import RiskClient, RiskState
from stratvector.services.gateway.clients.strategy import Model, StrategyClient

ASK_SECONDS = 2.0
Answer = TypeVar("Answer")


class CachedAnswers:
    """The newest answers; one that can't be had now leaves the one before, and its trouble.

    troubles : by service, why there is no newer answer.
    """

    def __init__(self, strategy: StrategyClient, drift: DriftClient, risk: RiskClient) -> None:
        self._strategy, self._drift, self._risk = strategy, drift, risk
        self.models: list[Model] = []
        self.scores: dict[str, Score] = {}
        self.risk: RiskState | None = None
        self.troubles: dict[str, str] = {}
        self.version = 0

    async def ask(self) -> None:
        """Ask all three once."""
        self.models = await self._told("strategy", self._strategy.models(), self.models)
        self.scores = await self._told("drift", self._drift.scores(), self.scores)
        self.risk = await self._told("risk", self._risk.portfolio(), self.risk)
        self.version += 1

    @property
    def worst_drift(self) -> Score | None:
        """The highest score; None when no model has one."""
        scored = [score for score in self.scores.values() if score.score == score.score]
        return max(scored, key=lambda score: score.score, default=None)

    async def _told(self, service: str, answer: Awaitable[Answer], before: Answer) -> Answer:
        try:
            found = await answer
        except PeerError as error:
            self.troubles[service] = str(error)
            return before
        self.troubles.pop(service, None)
        return found
