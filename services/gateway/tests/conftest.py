"""A gateway's web server on a real port, asked by real clients, with real gRPC servers behind it:
the ledger's own on a database, and hand-written ones with the other services' protos.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from fastapi import FastAPI

from stratvector.contracts.v1 import (
    drift_service_pb2,
    drift_service_pb2_grpc,
    monte_carlo_service_pb2,
    monte_carlo_service_pb2_grpc,
    orders_pb2,
    research_service_pb2,
    research_service_pb2_grpc,
    risk_service_pb2,
    risk_service_pb2_grpc,
    strategy_service_pb2,
    strategy_service_pb2_grpc,
)
from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.world import World
from stratvector.services.gateway.app import gateway_app
from stratvector.services.gateway.context import GatewayContext, PortfolioContext
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.resuming import followers
from stratvector.services.gateway.settings import GatewaySettings
from stratvector.services.gateway.web_server import WebServer
from stratvector.services.gateway.wiring import new_context
from stratvector.trading.lanes import (
    bars_lane,
    fills_lane,
    orders_lane,
    positions_lane,
    signals_lane,
)
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import answering, new_database, record
from tests.sessions.simulated_flow import Flow, run_flow

HOST = "127.0.0.1"
READ_SECONDS = 10.0  # of a calm world, in which a follower rests a quarter of one
AS_OF = 1_600_000_000_000_000_000
Context = grpc.aio.ServicerContext[Any, Any]


class Risk(risk_service_pb2_grpc.RiskServiceServicer):
    """Knows one value at risk, once it has decided."""

    def __init__(self) -> None:
        self.decided, self.as_of = True, AS_OF

    async def GetPortfolio(  # noqa: N802  the proto's name
        self, request: Any, context: Context
    ) -> risk_service_pb2.GetPortfolioResponse:
        if not self.decided:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "nothing is decided yet")
        known = orders_pb2.ValueAtRisk(
            as_of_ns=self.as_of, horizon_days=1.0, var_95=0.021, cvar_95=0.034, simulations=1_000
        )
        state = risk_service_pb2.PortfolioState(value_at_risk=known, drawdown_factor=0.5)
        return risk_service_pb2.GetPortfolioResponse(portfolio=state)


class Strategy(strategy_service_pb2_grpc.StrategyServiceServicer):
    """Runs one model, one of whose weights is unknown."""

    async def ListModels(  # noqa: N802  the proto's name
        self, request: Any, context: Context
    ) -> strategy_service_pb2.ListModelsResponse:
        weights = [
            strategy_service_pb2.ModelWeight(symbol="AAA", weight=0.5),
            strategy_service_pb2.ModelWeight(symbol="BBB", weight=float("nan")),
        ]
        model = strategy_service_pb2.ModelRecord(
            model="trend", strategy="t", universe="u", budget_fraction=0.5, weights=weights
        )
        return strategy_service_pb2.ListModelsResponse(models=[model])


class Drift(drift_service_pb2_grpc.DriftServiceServicer):
    """Has scored one model, and not the other."""

    async def RunCheck(self, request: Any, context: Context) -> Any:  # noqa: N802
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "nobody here asks for it")

    async def GetScores(  # noqa: N802  the proto's name
        self, request: Any, context: Context
    ) -> drift_service_pb2.GetScoresResponse:
        known = drift_service_pb2.ModelDrift(model="trend", close_time_ns=AS_OF, score=0.25)
        unknown = drift_service_pb2.ModelDrift(
            model="other", close_time_ns=AS_OF, score=float("nan"), reason="too few values"
        )
        return drift_service_pb2.GetScoresResponse(models=[known, unknown])


class MonteCarlo(monte_carlo_service_pb2_grpc.MonteCarloServiceServicer):
    """Fails, as long as there is trouble."""

    def __init__(self) -> None:
        self.trouble = "the workers are gone"

    def RunScenario(self, request: Any, context: Context) -> Any:  # noqa: N802
        raise AssertionError("the gateway runs no scenario")

    async def ListScenarios(  # noqa: N802  the proto's name
        self, request: Any, context: Context
    ) -> monte_carlo_service_pb2.ListScenariosResponse:
        if self.trouble:
            await context.abort(grpc.StatusCode.INTERNAL, self.trouble)
        gbm = monte_carlo_service_pb2.ScenarioDescription(name="gbm", summary="s", source="b")
        return monte_carlo_service_pb2.ListScenariosResponse(scenarios=[gbm])


class Research(research_service_pb2_grpc.ResearchServiceServicer):
    """Takes two jobs; each is done as soon as somebody asks for it."""

    def StreamProgress(self, request: Any, context: Context) -> Any:  # noqa: N802
        raise AssertionError("the gateway asks for a job again and again")

    def __init__(self) -> None:
        self.jobs: list[research_service_pb2.Job] = []

    async def SubmitBacktest(  # noqa: N802  the proto's name
        self, request: research_service_pb2.SubmitBacktestRequest, context: Context
    ) -> research_service_pb2.SubmitBacktestResponse:
        if ".." in request.config:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "config leaves its folder")
        if len(self.jobs) == 2:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "2 jobs wait already")
        job = research_service_pb2.Job(
            job_id=f"job-{len(self.jobs)}",
            state=research_service_pb2.JOB_STATE_QUEUED,
            request=request,
            submitted_at_ns=AS_OF,
        )
        self.jobs.insert(0, job)
        return research_service_pb2.SubmitBacktestResponse(job=job)

    async def GetJob(  # noqa: N802  the proto's name
        self, request: research_service_pb2.GetJobRequest, context: Context
    ) -> research_service_pb2.GetJobResponse:
        for job in self.jobs:
            if job.job_id == request.job_id:
                job.state = research_service_pb2.JOB_STATE_DONE
                job.progress, job.ended_at_ns = 1.0, AS_OF + 1
                metrics = {"sharpe_ratio": 1.5, "alpha": float("nan")}
                job.ClearField("metrics")
                for name, value in metrics.items():
                    job.metrics.add(name=name, value=value)
                return research_service_pb2.GetJobResponse(job=job)
        await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no job {request.job_id!r}")
        raise AssertionError

    async def ListJobs(  # noqa: N802  the proto's name
        self, request: Any, context: Context
    ) -> research_service_pb2.ListJobsResponse:
        return research_service_pb2.ListJobsResponse(jobs=self.jobs)


@dataclass
class House:
    """A running gateway. client : asks its address."""

    url: str
    gateway: GatewayContext
    flow: Flow
    client: httpx.AsyncClient
    risk: Risk
    monte_carlo: MonteCarlo
    stop: Callable[[], Awaitable[None]]

    @property
    def context(self) -> PortfolioContext:
        """Of the portfolio that began last."""
        return self.gateway.portfolios.newest()


Ask = Callable[[House], Awaitable[None]]
MakeApp = Callable[[GatewayContext], FastAPI]


@pytest.fixture(scope="session")
def recorded_flow() -> Flow:
    """A session of two universes and two models, run to its end."""
    return run_flow(generated_session(4, Shape(2, 2, 3, closes=120)))


@pytest.fixture
def in_house(tmp_path: Path, recorded_flow: Flow) -> Callable[..., None]:
    """Runs a coroutine in a house, whose services are all there or all away."""

    def run(
        ask: Ask,
        services: bool = True,
        probes: dict[str, str] | None = None,
        flow: Flow | None = None,
        read: Callable[[LiveSession, Flow], None] | None = None,
        app: MakeApp = gateway_app,
    ) -> None:
        asyncio.run(_run(ask, tmp_path, flow or recorded_flow, services, probes or {}, read, app))

    return run


def follow(live: LiveSession, flow: Flow) -> None:
    """Let a gateway's own followers read a finished flow, in a calm world."""
    live.open_chapter(first_chapter(flow.session))

    def reading(ports: Ports) -> Tasks:
        of_flow = replace(ports, bus=flow.world.bus)
        reading = followers(of_flow, flow.session.portfolio, live, {})
        return Tasks([one.run() for one in reading])

    async def until_read(ports: Ports) -> None:
        await ports.clock.sleep(READ_SECONDS)

    world = World()
    world.add("gateway", reading)
    world.add("patience", lambda ports: Tasks([until_read(ports)]))
    world.run(until=["patience"])


@pytest.fixture
def follow_live() -> Callable[[LiveSession, Flow], None]:
    """`follow`, for tests that have no house."""
    return follow


def fill(live: LiveSession, flow: Flow) -> None:
    """Give every lane of a finished flow to the gateway."""
    portfolio, bus = flow.session.portfolio, flow.world.bus
    for universe in portfolio.universes:
        lane = bars_lane(portfolio, universe)
        live.take_bars(bus.contents(lane))
    for model in portfolio.models:
        live.take_signals(bus.contents(signals_lane(portfolio, model.name)))
    live.take_decisions(bus.contents(orders_lane(portfolio)))
    live.take_fills(bus.contents(fills_lane(portfolio, portfolio.account_names[0])))
    live.take_positions(bus.contents(positions_lane(portfolio)))


@pytest.fixture
def fill_live() -> Callable[[LiveSession, Flow], None]:
    """`fill`, for tests that have no house."""
    return fill


async def _run(
    ask: Ask,
    folder: Path,
    flow: Flow,
    services: bool,
    probes: dict[str, str],
    read: Callable[[LiveSession, Flow], None] | None,
    app: MakeApp,
) -> None:
    async with AsyncExitStack() as stack:
        risk, monte_carlo, addresses = Risk(), MonteCarlo(), dict[str, str]()
        if services:
            database = new_database(folder)
            stack.callback(database.close)
            await asyncio.to_thread(record, database, flow.entries)
            ledger = answering(database, flow.session.portfolio)
            addresses["ledger_grpc"] = await stack.enter_async_context(ledger)
            one = await stack.enter_async_context(_planted(risk, monte_carlo))
            addresses |= {
                f"{peer}_grpc": one
                for peer in ("risk", "strategy", "drift", "monte_carlo", "research")
            }
        settings = GatewaySettings.model_validate({"probes": probes, **addresses})
        context = new_context(settings)
        begun = context.begin(flow.session.portfolio, len(flow.session.schedule))
        (read or (follow if flow.openings else fill))(begun.live, flow)
        try:
            async with _listening(context, app(context), flow, risk, monte_carlo) as house:
                await ask(house)
        finally:
            for peer in context.peers.values():
                await peer.close()


@asynccontextmanager
async def _listening(
    context: GatewayContext, app: FastAPI, flow: Flow, risk: Risk, monte_carlo: MonteCarlo
) -> AsyncIterator[House]:
    server = WebServer(HOST, 0)
    running = asyncio.create_task(server.run(app))

    async def stop() -> None:
        running.cancel()
        await asyncio.wait({running})

    url = f"http://{HOST}:{server.port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
        try:
            yield House(url, context, flow, client, risk, monte_carlo, stop)
        finally:
            await stop()


@asynccontextmanager
async def _planted(risk: Risk, monte_carlo: MonteCarlo) -> AsyncIterator[str]:
    server = grpc.aio.server()
    risk_service_pb2_grpc.add_RiskServiceServicer_to_server(risk, server)
    strategy_service_pb2_grpc.add_StrategyServiceServicer_to_server(Strategy(), server)
    drift_service_pb2_grpc.add_DriftServiceServicer_to_server(Drift(), server)
    monte_carlo_service_pb2_grpc.add_MonteCarloServiceServicer_to_server(monte_carlo, server)
    research_service_pb2_grpc.add_ResearchServiceServicer_to_server(Research(), server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        await server.stop(None)
