"""The only place that constructs the gateway's parts."""

import asyncio
from collections.abc import Iterator, Sequence

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.readers import account_lane
from stratvector.services.gateway.app import gateway_app
from stratvector.services.gateway.clients.drift import DriftClient
from stratvector.services.gateway.clients.ledger import LedgerClient
from stratvector.services.gateway.clients.monte_carlo import MonteCarloClient
from stratvector.services.gateway.clients.peer import Peer
from stratvector.services.gateway.clients.research import ResearchClient
from stratvector.services.gateway.clients.risk import RiskClient
from stratvector.services.gateway.clients.strategy import StrategyClient
from stratvector.services.gateway.console.page import mount_console
from stratvector.services.gateway.desk import Desk
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.following import Follower
from stratvector.services.gateway.health import ASK_SECONDS as HEALTH_SECONDS
from stratvector.services.gateway.health import HealthWatch
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.metrics import GatewayMetrics
from stratvector.services.gateway.outlook import ASK_SECONDS as OUTLOOK_SECONDS
from stratvector.services.gateway.outlook import Outlook
from stratvector.services.gateway.settings import GatewaySettings
from stratvector.services.gateway.telling import health as health_event
from stratvector.services.gateway.web_server import WebServer
from stratvector.trading.flow import subject
from stratvector.trading.portfolio import Portfolio

ASKED = ("ledger", "risk", "strategy", "drift", "monte_carlo", "research")


def build(settings: GatewaySettings, deployment: Deployment, ports: Ports) -> Tasks:
    """The web server, what it shows and whom it asks. Raises PortTaken."""
    portfolio, closes = deployment.session.portfolio, len(deployment.session.schedule)
    peers = peers_of(settings)
    desk = new_desk(settings, portfolio, closes, peers)
    server = WebServer(settings.host, settings.console_port)
    return Tasks(
        main=[
            _serve(server, desk, list(peers.values())),
            _watch_health(desk),
            _watch_outlook(desk),
            *(follower.run() for follower in _followers(ports, portfolio, desk.live)),
        ],
        collectors=desk.metrics.collectors,
        close=server.close,
    )


def peers_of(settings: GatewaySettings) -> dict[str, Peer]:
    """Whom it asks, by service; one without an address is away."""
    return {name: Peer(name, getattr(settings, f"{name}_grpc")) for name in ASKED}


def new_desk(
    settings: GatewaySettings, portfolio: Portfolio, closes: int, peers: dict[str, Peer]
) -> Desk:
    """The desk of a portfolio. closes : of the whole session. peers : by service."""
    hub = Hub()
    strategy = StrategyClient(peers["strategy"])
    drift = DriftClient(peers["drift"])
    risk = RiskClient(peers["risk"], portfolio.name)
    return Desk(
        live=LiveSession(portfolio, closes, hub),
        hub=hub,
        health=HealthWatch(settings.probes),
        outlook=Outlook(strategy, drift, risk),
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
        lane = subject("bars", universe=universe.name, timeframe=universe.timeframe)
        yield Follower(ports, lane, live.take_bars)
    for model in portfolio.models:
        lane = subject("signals", portfolio=portfolio.name, model=model.name)
        yield Follower(ports, lane, live.take_signals)
    yield Follower(ports, account_lane("orders", portfolio), live.take_decisions)
    yield Follower(ports, account_lane("fills", portfolio), live.take_fills)
    yield Follower(ports, subject("positions", portfolio=portfolio.name), live.take_positions)


async def _serve(server: WebServer, desk: Desk, peers: Sequence[Peer]) -> None:
    app = gateway_app(desk)
    pages = mount_console(app, desk)
    try:
        await server.run(app)
    finally:
        await pages.end()
        for peer in peers:
            await peer.close()


async def _watch_health(desk: Desk) -> None:
    while True:
        for health in await desk.health.ask():
            desk.hub.publish(health_event(health))
        await asyncio.sleep(HEALTH_SECONDS)


async def _watch_outlook(desk: Desk) -> None:
    while True:
        await desk.outlook.ask()
        await asyncio.sleep(OUTLOOK_SECONDS)
