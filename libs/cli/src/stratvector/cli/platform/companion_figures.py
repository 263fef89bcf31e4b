"""companion_figures: what Monte Carlo and drift say of a finished session, beside its results.

Both are functions of the log: the last close's portfolio with a seed of its own, and the scores at
each model's last close.
"""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import grpc.aio

from stratvector.cli.platform.ports import PortPlan
from stratvector.contracts.v1.drift_service_pb2 import ModelDrift, RunCheckRequest
from stratvector.contracts.v1.drift_service_pb2_grpc import DriftServiceStub
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.monte_carlo import monte_carlo_client
from stratvector.runtime.peer import Peer
from stratvector.runtime.ports import NoAnswer
from stratvector.trading.logged import SessionLog
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.timestamps import utc_text
from stratvector.trading.value_at_risk import DailyMarks, NoQuestion, Question, question

if TYPE_CHECKING:
    from stratvector.contracts.v1.drift_service_pb2_grpc import DriftServiceAsyncStub

SIMULATIONS = 100_000
PATIENCE_SECONDS = 60.0
ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class DriftScore:
    """One model's score, None where `reason` says why there is none."""

    model: str
    score: float | None
    reason: str


@dataclass(frozen=True)
class CompanionFigures:
    """value_at_risk : of the last close's portfolio; None where `reason` says why there is none."""

    value_at_risk: ValueAtRisk | None
    reason: str
    drift: tuple[DriftScore, ...]

    def document(self) -> dict[str, Any]:
        """As JSON values, to stand beside a result."""
        figure = self.value_at_risk
        risk: dict[str, Any] = {"var_95": None, "cvar_95": None, "reason": self.reason}
        if figure is not None:
            risk |= asdict(figure) | {"as_of": utc_text(figure.as_of)}
        scores = {one.model: {"score": one.score, "reason": one.reason} for one in self.drift}
        return {"monte_carlo": risk, "drift": scores}


async def companion_figures(
    ports: PortPlan, session: SessionParts, log: SessionLog
) -> CompanionFigures:
    """Ask both services, again while one is away. What is not answered in time has the reason in
    its place: the session is done and its results are written, whoever is missing.
    """
    figure, reason = await _value_at_risk(ports, session, log)
    return CompanionFigures(figure, reason, await _drift(ports, session, log))


async def _value_at_risk(
    ports: PortPlan, session: SessionParts, log: SessionLog
) -> tuple[ValueAtRisk | None, str]:
    newest = log.chapters[-1] if log.chapters else None
    portfolio = session.portfolio if newest is None else newest.portfolio
    carried = None if newest is None else newest.noun.carried
    daily, last = DailyMarks(portfolio), log.entries[-1]
    if carried is not None:
        daily.begin(carried)
    for close in log.closes:
        if carried is None or close.close_time > carried.close_time:
            daily.observe(close.close_time, close.sections)
    equity = last.decision.equity
    try:
        asked = question(portfolio, last.close_time, daily, last.positions, equity)
    except NoQuestion as nothing:
        return None, str(nothing)
    address = ports.address("monte_carlo")
    if address is None:
        return None, "no Monte Carlo service runs"
    try:
        return await _answered(address, asked), ""
    except NoAnswer as error:
        return None, str(error)


async def _answered(address: str, asked: Question) -> ValueAtRisk:
    """The answer, of a process that was started again if need be. Raises NoAnswer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with monte_carlo_client(address) as client:
        while True:
            try:
                seconds_left = max(LOOK_SECONDS, deadline - time.monotonic())
                return await client.value_at_risk(asked, SIMULATIONS, seconds_left)
            except NoAnswer as error:
                if not error.may_heal or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(LOOK_SECONDS)


async def _drift(ports: PortPlan, session: SessionParts, log: SessionLog) -> tuple[DriftScore, ...]:
    """The scores once drift has read the last close of every model that ever sent signals: of a
    portfolio that was stopped, closes are left that nobody decides.
    """
    address = ports.address("drift")
    if address is None:
        return ()
    ends = dict[str, int]()
    for close in log.closes:
        ends |= dict.fromkeys(close.signals, close.close_time)
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with Peer("drift", address) as peer:
        drift = DriftServiceStub(peer.channel())
        while True:
            answer, why = await _checked(drift, session.portfolio)
            if ends.items() <= {one.model: one.close_time_ns for one in answer}.items():
                return tuple(map(_score, answer))
            if time.monotonic() > deadline:
                return tuple(DriftScore(model, None, why) for model in ends)
            await asyncio.sleep(LOOK_SECONDS)


async def _checked(
    drift: "DriftServiceAsyncStub", portfolio: Portfolio
) -> tuple[list[ModelDrift], str]:
    request = RunCheckRequest(portfolio=portfolio.name, run=portfolio.run)
    try:
        answer = await drift.RunCheck(request, timeout=ANSWER_SECONDS)
    except grpc.aio.AioRpcError as error:
        return [], f"drift: {error.code().name.lower()}: {error.details()}"
    return list(answer.models), "drift has not read the whole session"


def _score(one: ModelDrift) -> DriftScore:
    return DriftScore(one.model, None if one.reason else one.score, one.reason)
