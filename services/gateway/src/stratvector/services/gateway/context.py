"""context: what routes and cards of the console are given: of the gateway, or of a portfolio."""

from collections.abc import Mapping
from dataclasses import dataclass

from stratvector.runtime.ledger_client import LedgerClient
from stratvector.runtime.peer import Peer
from stratvector.runtime.served import PortfolioRun, Served
from stratvector.services.gateway.cached_answers import CachedAnswers
from stratvector.services.gateway.clients.drift import DriftClient
from stratvector.services.gateway.clients.monte_carlo import MonteCarloClient
from stratvector.services.gateway.clients.research import ResearchClient
from stratvector.services.gateway.clients.risk import RiskClient
from stratvector.services.gateway.clients.strategy import StrategyClient
from stratvector.services.gateway.event_bodies import health as health_event
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.health import HealthWatch
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.metrics import GatewayMetrics
from stratvector.trading.portfolio import Portfolio


@dataclass(frozen=True)
class PortfolioContext:
    """Of one portfolio in one run. live : what the lanes tell. cached : what was asked last of
    strategy, drift and risk. The clients ask anew.
    """

    live: LiveSession
    hub: Hub
    cached: CachedAnswers
    ledger: LedgerClient
    risk: RiskClient
    strategy: StrategyClient
    drift: DriftClient
    health: HealthWatch
    research: ResearchClient

    @property
    def whose(self) -> PortfolioRun:
        """Which portfolio in which run."""
        return PortfolioRun.of(self.live.portfolio)


@dataclass(frozen=True)
class GatewayContext:
    """Of the whole gateway. portfolios : those that have begun, in that order. health : what the
    processes say. peers : whom it asks, by service.
    """

    portfolios: Served[PortfolioContext]
    health: HealthWatch
    metrics: GatewayMetrics
    peers: Mapping[str, Peer]
    monte_carlo: MonteCarloClient
    research: ResearchClient

    def begin(self, portfolio: Portfolio, closes: int | None) -> PortfolioContext:
        """Show one more portfolio. closes : of its session, None where nobody knows an end."""
        hub, peers, whose = Hub(), self.peers, PortfolioRun.of(portfolio)
        strategy = StrategyClient(peers["strategy"], whose)
        drift, risk = DriftClient(peers["drift"], whose), RiskClient(peers["risk"], whose)
        begun = PortfolioContext(
            live=LiveSession(portfolio, closes, hub),
            hub=hub,
            cached=CachedAnswers(strategy, drift, risk),
            ledger=LedgerClient(peers["ledger"], whose),
            risk=risk,
            strategy=strategy,
            drift=drift,
            health=self.health,
            research=self.research,
        )
        for health in self.health.now.values():
            hub.publish(health_event(health))
        self.portfolios.add(portfolio, begun)
        return begun
