"""The only place that constructs the gateway's parts."""

import asyncio
from collections.abc import Iterator, Sequence

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ledger_client import LedgerClient
from stratvector.runtime.peer import Peer
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.logs import logger
from stratvector.services.gateway.app import gateway_app
from stratvector.services.gateway.cached_answers import ASK_SECONDS as ANSWERS_SECONDS
from stratvector.services.gateway.cached_answers import CachedAnswers
from stratvector.services.gateway.clients.drift import DriftClient
from stratvector.services.gateway.clients.monte_carlo import MonteCarloClient
from stratvector.services.gateway.clients.research import ResearchClient
from stratvector.services.gateway.clients.risk import RiskClient
from stratvector.services.gateway.clients.strategy import StrategyClient
from stratvector.services.gateway.console.page import mount_console
from stratvector.services.gateway.context import GatewayContext
from stratvector.services.gateway.event_bodies import health as health_event
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.following import Follower
from stratvector.services.gateway.health import ASK_SECONDS as HEALTH_SECONDS
from stratvector.services.gateway.health import HealthWatch
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.metrics import GatewayMetrics
from stratvector.services.gateway.settings import GatewaySettings
from stratvector.services.gateway.web_server import WebServer
from stratvector.trading.lanes import (
    bars_lane,
    fills_lane,
    orders_lane,
    positions_lane,
    signals_lane,
)
from stratvector.trading.portfolio import Portfolio

ASKED = ("ledger", "risk", "strategy", "drift", "monte_carlo", "research")


def build(settings: GatewaySettings, deployment: Deployment, ports: Ports) -> Tasks:
    """The web server, what it shows and whom it asks. Raises PortTaken."""
    portfolio, closes = deployment.session.portfolio, deployment.session.closes
    peers = peers_of(settings)
    context = new_context(settings, portfolio, closes, peers)
    server = WebServer(settings.host, settings.console_port)
    return Tasks(
        main=[
            _serve(server, context, list(peers.values())),
            _watch_health(context),
            _watch_answers(context),
            *(follower.run() for follower in _followers(ports, portfolio, context.live)),
        ],
        collectors=context.metrics.collectors,
        close=server.close,
    )


def peers_of(settings: GatewaySettings) -> dict[str, Peer]:
    """Whom it asks, by service; one without an address is away."""
    log = logger()
    return {name: Peer(name, getattr(settings, f"{name}_grpc"), log=log) for name in ASKED}


def new_context(
    settings: GatewaySettings, portfolio: Portfolio, closes: int | None, peers: dict[str, Peer]
) -> GatewayContext:
    """The context of a portfolio. closes : of the whole session, None where
    nobody knows an end. peers : by service."""
    hub = Hub()
    strategy = StrategyClient(peers["strategy"])
    drift = DriftClient(peers["drift"])
    risk = RiskClient(peers["risk"], portfolio.name)
    return GatewayContext(
        live=LiveSession(portfolio, closes, hub),
        hub=hub,
        health=HealthWatch(settings.probes),
        cached=CachedAnswers(strategy, drift, risk),
        metrics=GatewayMetrics(),
        ledger=LedgerClient(peers["ledger"], portfolio.name),
        risk=risk,
        strategy=strategy,
        drift=drift,
        monte_carlo=MonteCarloClient(peers["monte_carlo"]),
        research=ResearchClient(peers["research"]),
    )


def _followers(ports: Ports, portfolio: Portfolio, live: LiveSession) -> Iterator[Follower]:
    """One for each lane of the portfolio."""
    for universe in portfolio.universes:
        lane = bars_lane(portfolio, universe)
        yield Follower(ports, lane, live.take_bars)
    for model in portfolio.models:
        lane = signals_lane(portfolio, model.name)
        yield Follower(ports, lane, live.take_signals)
    yield Follower(ports, orders_lane(portfolio), live.take_decisions)
    yield Follower(ports, fills_lane(portfolio), live.take_fills)
    yield Follower(ports, positions_lane(portfolio), live.take_positions)


async def _serve(server: WebServer, context: GatewayContext, peers: Sequence[Peer]) -> None:
    app = gateway_app(context)
    pages = mount_console(app, context)
    try:
        await server.run(app)
    finally:
        await pages.end()
        for peer in peers:
            await peer.close()


async def _watch_health(context: GatewayContext) -> None:
    while True:
        for health in await context.health.ask():
            context.hub.publish(health_event(health))
        await asyncio.sleep(HEALTH_SECONDS)


async def _watch_answers(context: GatewayContext) -> None:
    while True:
        await context.cached.ask()
        await asyncio.sleep(ANSWERS_SECONDS)
