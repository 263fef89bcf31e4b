"""What risk and strategy answer while a session runs, and what their metrics say of it."""

import asyncio
from pathlib import Path
from urllib.request import urlopen

import grpc.aio
import pytest

from stratvector.contracts.v1 import risk_service_pb2, strategy_service_pb2
from stratvector.contracts.v1.risk_service_pb2_grpc import RiskServiceStub
from stratvector.contracts.v1.strategy_service_pb2_grpc import StrategyServiceStub
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.process_flow import Running, run_processes

HOST = "127.0.0.1"


def test_risk_and_strategy_answer_what_the_log_says(tmp_path: Path) -> None:
    answers: dict[str, object] = {}

    async def ask(run: Running) -> None:
        await run.reach(1.0)
        seats = run.platform.ports.seats
        async with grpc.aio.insecure_channel(f"{HOST}:{seats['risk'].grpc}") as channel:
            risk = RiskServiceStub(channel)
            reply = await risk.GetPortfolio(risk_service_pb2.GetPortfolioRequest(), timeout=10)
            answers["portfolio"] = reply.portfolio
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await risk.GetPortfolio(
                    risk_service_pb2.GetPortfolioRequest(portfolio="other"), timeout=10
                )
            answers["refused"] = (refused.value.code(), refused.value.details())
        async with grpc.aio.insecure_channel(f"{HOST}:{seats['strategy'].grpc}") as channel:
            strategy = StrategyServiceStub(channel)
            models = await strategy.ListModels(strategy_service_pb2.ListModelsRequest(), timeout=10)
            answers["models"] = list(models.models)
        for service in ("risk", "strategy"):
            address = f"http://{HOST}:{seats[service].http}/metrics"
            answers[service] = await asyncio.to_thread(_page, address)

    session = generated_session(4, Shape(2, 2, 3, closes=300))
    flow = run_processes(tmp_path, session, disturb=ask)
    decision, portfolio = flow.decisions[-1], answers["portfolio"]
    assert isinstance(portfolio, risk_service_pb2.PortfolioState)
    assert portfolio.close_time_ns == decision.close_time
    assert (portfolio.equity, portfolio.gross_exposure) == (
        decision.equity,
        decision.gross_exposure,
    )
    assert not portfolio.HasField("value_at_risk")
    assert portfolio.value_at_risk_trouble == "no Monte Carlo service is configured"
    name = session.portfolio.name
    assert answers["refused"] == (
        grpc.StatusCode.NOT_FOUND,
        f"risk has no portfolio 'other'; there is {name} in {session.portfolio.run}",
    )
    models = answers["models"]
    assert isinstance(models, list)
    assert [one.model for one in models] == list(session.portfolio.model_names)
    assert {one.last_close_ns for one in models} == {
        int(session.schedule.closes_of(one.universe)[-1]) for one in session.portfolio.models
    }
    whose = f'portfolio="{name}",run="{session.portfolio.run}"'
    assert f"stratvector_portfolio_equity_usd{{{whose}}} {decision.equity}" in str(answers["risk"])
    weight = f'stratvector_signal_weight{{model="{session.portfolio.model_names[0]}",{whose}'
    assert weight in str(answers["strategy"])


def _page(address: str) -> str:
    with urlopen(address, timeout=10) as answer:
        return str(answer.read().decode())
