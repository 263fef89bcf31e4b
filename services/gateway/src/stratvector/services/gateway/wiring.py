"""The only place that constructs the gateway's parts."""

import asyncio

from fastapi import FastAPI

from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.peer import Peer
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.logs import logger
from stratvector.runtime.process.transport import current_transport
from stratvector.runtime.served import Served
from stratvector.services.gateway.app import gateway_app
from stratvector.services.gateway.cached_answers import ASK_SECONDS as ANSWERS_SECONDS
from stratvector.services.gateway.clients.monte_carlo import MonteCarloClient
from stratvector.services.gateway.clients.research import ResearchClient
from stratvector.services.gateway.console.page import mount_console
from stratvector.services.gateway.context import GatewayContext, PortfolioContext
from stratvector.services.gateway.entrance import TokenFile
from stratvector.services.gateway.event_bodies import health as health_event
from stratvector.services.gateway.guard import Names
from stratvector.services.gateway.health import ASK_SECONDS as HEALTH_SECONDS
from stratvector.services.gateway.health import HealthWatch
from stratvector.services.gateway.metrics import GatewayMetrics
from stratvector.services.gateway.resuming import resumed
from stratvector.services.gateway.settings import GatewaySettings
from stratvector.services.gateway.web_server import WebServer

ASKED = ("ledger", "risk", "strategy", "drift", "monte_carlo", "research")


def serve(settings: GatewaySettings, ports: Ports) -> Service:
    """The web server, what it shows and whom it asks. Raises PortTaken
    or BadTokenFile.
    """
    context = new_context(settings)
    token = _token(settings)
    names = Names(settings.allowed_hosts, _schemes(token))
    server = WebServer(settings.host, settings.console_port)

    async def begin(deployment: Deployment) -> Tasks:
        session = deployment.session
        begun = context.begin(session.portfolio, session.closes)
        reading = await resumed(ports, session, begun.live)
        return Tasks(main=[_watch_answers(begun), *reading.coroutines()])

    return Service(
        begin=begin,
        main=[_serve(server, gateway_app(context, names, token), context), _watch_health(context)],
        collectors=context.metrics.collectors,
        close=server.close,
    )


def peers_of(settings: GatewaySettings) -> dict[str, Peer]:
    """Whom it asks, by service; one without an address is away."""
    log = logger()
    return {name: Peer(name, getattr(settings, f"{name}_grpc"), log=log) for name in ASKED}


def new_context(settings: GatewaySettings) -> GatewayContext:
    """The context of a gateway to which no portfolio has begun yet."""
    peers = peers_of(settings)
    return GatewayContext(
        portfolios=Served("the gateway"),
        health=HealthWatch(settings.probes),
        metrics=GatewayMetrics(),
        peers=peers,
        monte_carlo=MonteCarloClient(peers["monte_carlo"]),
        research=ResearchClient(peers["research"]),
    )


def _schemes(token: TokenFile | None) -> tuple[str, ...]:
    """Of the console's own pages."""
    if current_transport() is not None:
        return ("https",)
    # Something before it may end TLS where it serves other addresses.
    return ("http",) if token is None else ("http", "https")


def _token(settings: GatewaySettings) -> TokenFile | None:
    if settings.auth == "local" or settings.token_file is None:
        return None
    return TokenFile(settings.token_file)


async def _serve(server: WebServer, app: FastAPI, context: GatewayContext) -> None:
    pages = mount_console(app, context)
    try:
        await server.run(app)
    finally:
        await pages.end()
        for peer in context.peers.values():
            await peer.close()


async def _watch_health(context: GatewayContext) -> None:
    while True:
        for health in await context.health.ask():
            for one in context.portfolios.values():
                one.hub.publish(health_event(health))
        await asyncio.sleep(HEALTH_SECONDS)


async def _watch_answers(context: PortfolioContext) -> None:
    while True:
        await context.cached.ask()
        await asyncio.sleep(ANSWERS_SECONDS)
