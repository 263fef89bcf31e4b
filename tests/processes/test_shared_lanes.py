"""Replicas share lanes and answer for each other, while lanes move and owners are ended.

One session: strategy goes from one process to three and back to one, owners of risk are asked to
stop or killed, and all the time questions go to any replica.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import yaml

from stratvector.contracts.v1 import ledger_service_pb2, risk_service_pb2, strategy_service_pb2
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
from stratvector.contracts.v1.risk_service_pb2_grpc import RiskServiceStub
from stratvector.contracts.v1.strategy_service_pb2_grpc import StrategyServiceStub
from stratvector.trading.session import Session
from tests.processes.service_process import ServiceProcess
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.heavy_strategy import HeavyStrategy
from tests.sessions.process_flow import ProcessFlow, Running, kill, run_processes

HOST = "127.0.0.1"
MODELS, HEAVY_MODELS = 6, 12  # of three replicas each gets as many
# A lease of a second: moves come often, and a busy machine loses lanes, which must not matter.
LEASES = {
    f"STRATVECTOR_{service}_LEASE_SECONDS": "1.0" for service in ("STRATEGY", "RISK", "LEDGER")
}
ANSWER_SECONDS = 20.0
REPLICAS = {"risk": 3, "ledger": 2}


@dataclass
class Answers:
    """What was asked and said. again : how often nobody answered and another one was asked."""

    portfolios: list[risk_service_pb2.PortfolioState] = field(default_factory=list)
    models: list[list[strategy_service_pb2.ModelRecord]] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    again: int = 0


class Asker:
    """Asks any replica, one question after the other."""

    def __init__(self, run: Running, answers: Answers, seed: int) -> None:
        seats = run.platform.ports.seats
        self.addresses = {
            service: [f"{HOST}:{at.grpc}" for name, at in seats.items() if _is_of(name, service)]
            for service in ("risk", "strategy", "ledger")
        }
        self._answers, self._dice = answers, random.Random(seed)
        self._stop = False

    def stop(self) -> None:
        self._stop = True

    async def ask(self, count: int) -> None:
        """At least so many questions, and for as long as nobody says stop."""
        answers = self._answers
        while answers.asked.total() < count or not self._stop:
            service = self._dice.choice(list(self.addresses))
            answers.asked[service] += 1
            match service:
                case "risk":
                    request = risk_service_pb2.GetPortfolioRequest()
                    reply = await self._ask(service, RiskServiceStub, "GetPortfolio", request)
                    answers.portfolios.append(reply.portfolio)
                case "strategy":
                    models = strategy_service_pb2.ListModelsRequest()
                    reply = await self._ask(service, StrategyServiceStub, "ListModels", models)
                    answers.models.append(list(reply.models))
                case _:
                    status = ledger_service_pb2.GetStatusRequest()
                    reply = await self._ask(service, LedgerServiceStub, "GetStatus", status)
                    answers.committed.append(reply.status.closes)
            await asyncio.sleep(0.02)

    async def _ask(self, service: str, stub: Any, method: str, request: Any) -> Any:
        """A replica that is ended just now answers nothing: then any is asked again."""
        while True:
            address = self._dice.choice(self.addresses[service])
            async with grpc.aio.insecure_channel(address) as channel:
                try:
                    return await getattr(stub(channel), method)(request, timeout=ANSWER_SECONDS)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                    self._answers.again += 1
            await asyncio.sleep(0.05)


def _is_of(name: str, service: str) -> bool:
    return name == service or name.startswith(f"{service}-")


async def owners_of_models(run: Running) -> Counter[str]:
    """How many models each instance of strategy owns."""
    lanes = [
        f"signals.{run.session.portfolio.run}.{run.session.portfolio.name}.{model}"
        for model in run.session.portfolio.model_names
    ]
    return Counter([await run.owner_of(lane) for lane in lanes])


async def until_owned(run: Running, counts: list[int]) -> Counter[str]:
    """Wait until the models are spread like this, by whichever instances."""
    while sorted((owned := await owners_of_models(run)).values()) != counts or "-" in owned:
        # What has ended does not move any more.
        over = await run.fraction() == 1.0 and len(counts) > 1
        assert not over, f"the session ended while models were owned as {owned}"
        await asyncio.sleep(0.05)
    return owned


async def one_three_one(run: Running, folder: Path, asker: Asker, seen: list[str]) -> None:
    """Two more processes of strategy come, take their share, and are asked to stop."""
    written = yaml.safe_load((folder / "session" / "settings" / "strategy.yaml").read_text())
    settings = written | {"grpc_port": 0, "http_port": 0}
    with ExitStack() as stack:
        others = []
        for name in ("second", "third"):
            process = ServiceProcess("stratvector.services.strategy", folder, name, **settings)
            others.append(stack.enter_context(process))
        for process in others:
            port = await asyncio.to_thread(process.port, "grpc_port")
            asker.addresses["strategy"].append(f"{HOST}:{port}")
        models = len(run.session.portfolio.models)
        owned = await until_owned(run, [models // 3] * 3)
        seen.append(
            f"one to three processes: {sorted(owned.values())} at {await run.fraction():.0%}"
        )
        for process in others:
            asker.addresses["strategy"].pop()
            assert await asyncio.to_thread(process.stop) == 0
        await until_owned(run, [models])
        seen.append(f"back to one at {await run.fraction():.0%}")


async def end_owners_of_risk(run: Running, count: int) -> None:
    """By turns asked to stop, so that the lane has a named heir, and killed."""
    for number in range(count):
        before = await run.owner("risk")
        if number % 2:
            kill(before.pid)
        else:
            os.kill(before.pid, signal.SIGTERM)
        await run.new_owner("risk", before)
        await asyncio.sleep(1.0)


def played(
    folder: Path, session: Session, questions: int, ends: int
) -> tuple[ProcessFlow, Answers, list[str]]:
    answers, seen = Answers(), list[str]()

    async def disturb(run: Running) -> None:
        await run.reach(0.01)
        asker = Asker(run, answers, seed=len(session.schedule))
        asking = asyncio.create_task(asker.ask(questions))
        await asyncio.gather(one_three_one(run, folder, asker, seen), end_owners_of_risk(run, ends))
        asker.stop()
        await asking
        seen.append(f"{answers.asked.total()} questions by {await run.fraction():.0%}")

    pace = {"STRATVECTOR_MARKET_DATA_CLOSES_PER_S_MAX": "12"}
    flow = run_processes(folder, session, REPLICAS, disturb, LEASES | pace)
    return flow, answers, seen


def assert_answered_rightly(flow: ProcessFlow, answers: Answers) -> None:
    """Each answer is what the log says of its close, and none is older than one before it."""
    decisions = {one.close_time: one for one in flow.decisions}
    for state in answers.portfolios:
        decision = decisions[state.close_time_ns]
        assert (state.equity, state.halted) == (decision.equity, decision.halted)
    told = [state.close_time_ns for state in answers.portfolios]
    assert told == sorted(told)
    names = list(flow.session.portfolio.model_names)
    said = {
        (signals.model, signals.close_time): {r.symbol: r.weight for r in signals.rows if r.weight}
        for entry in flow.entries
        for signals in entry.signals
    }
    for models in answers.models:
        assert [one.model for one in models] == names
        for one in models:
            weights = {weight.symbol: weight.weight for weight in one.weights}
            assert repr(weights) == repr(said.get((one.model, one.last_close_ns), weights))
    for before, after in zip(answers.models, answers.models[1:], strict=False):
        pairs = zip(before, after, strict=True)
        assert all(one.last_close_ns <= other.last_close_ns for one, other in pairs)
    assert answers.committed == sorted(answers.committed)


def test_lanes_move_and_every_question_is_answered_by_any_replica(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    session = generated_session(31, Shape(universes=2, symbols=2, models=MODELS, closes=600))
    flow, answers, seen = played(tmp_path, session, questions=100, ends=2)
    assert_equal_to_backtest(session, flow)
    assert_answered_rightly(flow, answers)
    assert min(answers.asked.values()) > 10
    say(f"{'; '.join(seen)}; asked again {answers.again} times; equal to the backtest")


@pytest.mark.long
def test_a_thousand_questions_during_hand_overs_are_answered_rightly(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    session = generated_session(32, Shape(universes=2, symbols=2, models=MODELS, closes=2_500))
    flow, answers, seen = played(tmp_path, session, questions=1_000, ends=12)
    assert_equal_to_backtest(session, flow)
    assert_answered_rightly(flow, answers)
    say(f"{'; '.join(seen)}; asked again {answers.again} times; equal to the backtest")


@pytest.mark.long
def test_twelve_models_with_heavy_features_are_shared_by_three_processes(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    """Each process is busy for most of a close, and renews its leases all the same."""
    shape = Shape(universes=2, symbols=2, models=HEAVY_MODELS, closes=1_200)
    session = generated_session(33, shape)
    heavy = {
        name: HeavyStrategy(one.window, one.threshold)
        for name, one in session.strategies.items()
        if isinstance(one, DriftStrategy)
    }
    session = replace(session, strategies=heavy)
    flow, answers, seen = played(tmp_path, session, questions=300, ends=4)
    assert len(heavy) == HEAVY_MODELS
    assert_equal_to_backtest(session, flow)
    assert_answered_rightly(flow, answers)
    say(f"heavy: {'; '.join(seen)}; asked again {answers.again} times; equal to the backtest")
