"""desk: everything that an answer or a page may ask, in one hand."""

from dataclasses import dataclass

from stratvector.services.gateway.clients.drift import DriftClient
from stratvector.services.gateway.clients.ledger import LedgerClient
from stratvector.services.gateway.clients.monte_carlo import MonteCarloClient
from stratvector.services.gateway.clients.research import ResearchClient
from stratvector.services.gateway.clients.risk import RiskClient
from stratvector.services.gateway.clients.strategy import StrategyClient
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.health import HealthWatch
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.metrics import GatewayMetrics
from stratvector.services.gateway.outlook import Outlook


@dataclass(frozen=True)
class Desk:
    """live : what the lanes tell. health : what the processes say. outlook : what was asked last
    of strategy, drift and risk. The clients ask anew.
    """

    live: LiveSession
    hub: Hub
    health: HealthWatch
    outlook: Outlook
    metrics: GatewayMetrics
    ledger: LedgerClient
    risk: RiskClient
    strategy: StrategyClient
    drift: DriftClient
    monte_carlo: MonteCarloClient
    research: ResearchClient
