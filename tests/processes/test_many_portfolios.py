"""Service processes that were started idle serve each portfolio and each run that is applied: with
no restart, no change of the server's files and no reconnect.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest

from stratvector.contracts.codecs.ledger_proofs import verification_of
from stratvector.contracts.v1 import ledger_proofs_pb2, risk_service_pb2
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
from stratvector.contracts.v1.risk_service_pb2_grpc import RiskServiceStub
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.roles import MANUAL
from tests.processes.house import PATIENCE_SECONDS, SERVICES, House
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.late_flow import CountingStrategy
from tests.sessions.side_by_side import named

SHAPE = Shape(2, 2, 3, closes=60)
FIRST = named(generated_session(3, SHAPE), "main", "replay.a")
OTHER = named(generated_session(8, SHAPE), "other", "replay.c")
AGAIN = named(generated_session(3, SHAPE), "main", "replay.b")
LONG = named(generated_session(2, Shape(2, 2, 2, closes=1500)), "changing", "replay.d")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        made = House(tmp_path)
        made.start(stack)
        yield made


def test_two_portfolios_and_a_second_run_are_served_without_restart_or_reconnect(
    house: House,
) -> None:
    for process in house.services.values():
        assert process.until_state("standby")["idle"]
    before, connections = house.config(), house.connections()
    assert len(connections) == len(SERVICES)
    house.apply(FIRST)
    house.apply(OTHER)
    house.until_recorded(FIRST)
    house.until_recorded(OTHER)
    house.apply(AGAIN)
    house.until_recorded(AGAIN)
    _models_are_added_removed_and_renewed_while_it_runs(house)
    sessions = (FIRST, OTHER, AGAIN, LONG)
    for session in sessions:
        equal, complete, orders = house.parity(session)
        assert (equal, complete) == (True, True)
        assert orders
    assert (house.config(), house.connections()) == (before, connections)
    for service in ("market_data", "strategy", "risk", "execution", "ledger"):
        told = house.services[service].until_state("finished")
        assert set(told["portfolios"].values()) == {"finished"}
        assert len(told["portfolios"]) == len(sessions)
    _questions_name_their_portfolio(house)
    _each_record_is_verified_by_itself(house)
    _the_gateway_lists_them(house)
    assert [process.stop() for process in house.services.values()] == [0] * len(SERVICES)


def _models_are_added_removed_and_renewed_while_it_runs(house: House) -> None:
    """Lanes begin in processes that live already, and books are kept beside the others'; the model
    that stays has another strategy from then on. What the removed one holds is kept by `manual`.
    """
    removed, kept = LONG.portfolio.models
    added = ModelAllocation("added", kept.universe, 0.5)
    strategies = {kept.name: CountingStrategy(2), "added": DriftStrategy(2, 0.0)}
    portfolio = replace(LONG.portfolio, models=(added, kept), on_removal={removed.name: MANUAL})
    house.apply(LONG)
    house.until_recording(LONG)
    house.apply(replace(LONG, portfolio=portfolio, strategies=strategies))
    house.until_recorded(LONG)
    _, log = house.log(LONG)
    assert log.chapters, house.services["risk"].out.read_text()[-3000:]
    assert [model.name for model in log.chapters[0].portfolio.active] == ["added", kept.name]
    assert log.chapters[0].renewed == (kept.name,)
    models = {model.model: model for model in log.entries[-1].models}
    assert list(models) == ["added", kept.name, removed.name, MANUAL]
    assert not models[removed.name].positions
    crosses = [cross for entry in log.entries for cross in entry.decision.crosses]
    assert any(len(cross.parts) == 4 and cross.parts[2] and cross.parts[3] for cross in crosses)
    assert models["added"].commission


def _questions_name_their_portfolio(house: House) -> None:
    with house.ask("risk") as channel:
        risk = RiskServiceStub(channel)
        request = risk_service_pb2.GetPortfolioRequest(portfolio="main", run="replay.b")
        assert risk.GetPortfolio(request, timeout=10).portfolio.run == "replay.b"
        for asked, code in (
            ({}, grpc.StatusCode.FAILED_PRECONDITION),
            ({"portfolio": "main"}, grpc.StatusCode.FAILED_PRECONDITION),
            ({"portfolio": "none"}, grpc.StatusCode.NOT_FOUND),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                risk.GetPortfolio(risk_service_pb2.GetPortfolioRequest(**asked), timeout=10)
            assert refused.value.code() is code
            there = "main in replay.a, main in replay.b, other in replay.c, changing in replay.d"
            assert there in str(refused.value.details())
        one = risk_service_pb2.GetPortfolioRequest(portfolio="other")
        assert risk.GetPortfolio(one, timeout=10).portfolio.run == "replay.c"


def _each_record_is_verified_by_itself(house: House) -> None:
    with house.ask("ledger") as channel:
        request = ledger_proofs_pb2.VerifyRequest()
        found = verification_of(LedgerServiceStub(channel).Verify(request, timeout=60))
    assert found.passed
    records = {(one.portfolio, one.run): one for one in found.records}
    assert set(records) == {
        ("changing", "replay.d"),
        ("main", "replay.a"),
        ("main", "replay.b"),
        ("other", "replay.c"),
    }
    closes = {key: one.closes for key, one in records.items()}
    assert closes["main", "replay.a"] == closes["main", "replay.b"] == len(FIRST.schedule)
    assert len({one.chain_hash for one in found.records}) == 4


def _the_gateway_lists_them(house: House) -> None:
    def page(path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{house.console_port}{path}", timeout=10) as answer:
            return json.load(answer)

    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = page("/api/portfolios")["portfolios"]
        if len(found) == 4 and all(one["state"] == "finished" for one in found):
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert found[-1]["run"] == "replay.d"
