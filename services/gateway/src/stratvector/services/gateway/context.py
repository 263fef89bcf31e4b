"""context: what every route and every card of the console is given."""

from dataclasses import dataclass

from stratvector.runtime.ledger_client import LedgerClient
from stratvector.services.gateway.cached_answers import CachedAnswers
from stratvector.services.gateway.clients.drift import DriftClient
from stratvector.services.gateway.clients.monte_carlo import MonteCarloClient
from stratvector.services.gateway.clients.research import ResearchClient
from stratvector.services.gateway.clients.risk import RiskClient
from stratvector.services.gateway.clients.strategy import StrategyClient
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.health import HealthWatch
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.metrics import GatewayMetrics


@dataclass(frozen=True)
class GatewayContext:
    """live : what the lanes tell. health : what the processes say. cached : what was asked last
    of strategy, drift and risk. The clients ask anew.
    """

    live: LiveSession
    hub: Hub
    health: HealthWatch
    cached: CachedAnswers
    metrics: GatewayMetrics
    ledger: LedgerClient
    risk: RiskClient
    strategy: StrategyClient
    drift: DriftClient
    monte_carlo: MonteCarloClient
    research: ResearchClient
