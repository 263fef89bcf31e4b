"""Why, in one call: what the ledger explains is what decision, inputs and fills were."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import pytest

from stratvector.contracts.codecs import ledger_proofs as proofs
from stratvector.contracts.codecs.orders import OUTCOME_TO_WIRE
from stratvector.contracts.v1 import ledger_proofs_pb2 as proofs_pb
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.trading.explanation import Explanation, explain
from stratvector.trading.fills import FillKind
from stratvector.trading.reasons import OUTCOME_WORDS, REJECTED, STAGE_WORDS, Outcome, Stage
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import answering, new_database, record
from tests.sessions.simulated_flow import run_flow

if TYPE_CHECKING:
    from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

FLOW = run_flow(generated_session(2, Shape(2, 3, 3, closes=60)))
ENTRIES, PORTFOLIO = FLOW.entries, FLOW.session.portfolio
DECIDED = [
    (entry, one)
    for entry in ENTRIES
    for one in entry.decision.symbols
    if one.outcome is not Outcome.NOT_PLANNED
]
Answer = TypeVar("Answer")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerDatabase]:
    database = new_database(Path(tmp_path_factory.mktemp("ledger")))
    record(database, ENTRIES)
    yield database
    database.close()


def asked(
    database: LedgerDatabase, question: Callable[["LedgerServiceAsyncStub"], Awaitable[Answer]]
) -> Answer:
    async def run() -> Answer:
        async with (
            answering(database, PORTFOLIO) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            return await question(LedgerServiceStub(channel))

    return asyncio.run(run())


def explained(database: LedgerDatabase, *requests: pb.ExplainRequest) -> list[Explanation]:
    async def ask(stub: "LedgerServiceAsyncStub") -> list[Explanation]:
        answers = [await stub.Explain(request) for request in requests]
        return [proofs.explanation_of(answer.explanation) for answer in answers]

    return asked(database, ask)


def refusal(database: LedgerDatabase, **wanted: Any) -> grpc.aio.AioRpcError:
    async def ask(stub: "LedgerServiceAsyncStub") -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Explain(pb.ExplainRequest(**wanted))
        return refused.value

    return asked(database, ask)


def test_every_order_is_explained_from_bar_to_fill(filled: LedgerDatabase) -> None:
    orders = [(entry, order) for entry in ENTRIES for order in entry.decision.orders]
    assert len(orders) > 20
    told = explained(filled, *[pb.ExplainRequest(order_id=o.order_id) for _, o in orders])
    executions = [e for entry in ENTRIES for e in entry.events if e.kind is FillKind.FILLED]
    for (entry, order), one in zip(orders, told, strict=True):
        assert one.order is not None
        assert (one.close_time, one.symbol) == (entry.close_time, order.symbol)
        assert one.outcome is Outcome.ORDERED
        assert one.order.order_id == order.order_id
        assert one.mark == entry.marks[order.symbol]
        assert one.bars_id in entry.decision.cut.bars.values()
        assert one.held_lots == entry.positions.get(order.symbol, 0)
        filled_here = [e for e in executions if e.order_id == order.order_id]
        assert [fill.execution_id for fill in one.fills] == [e.execution_id for e in filled_here]
        assert one.order.filled_lots == sum(e.lots for e in filled_here)
        assert sum(wish.lots for wish in one.models) == order.lots
        assert "an order was approved: " in one.sentence
    assert any(one.fills for one in told)


def test_every_decision_is_explained_with_the_weights_and_stages_that_it_had(
    filled: LedgerDatabase,
) -> None:
    sample = DECIDED[:: max(1, len(DECIDED) // 60)]
    requests = [pb.ExplainRequest(symbol=d.symbol, at_ns=e.close_time) for e, d in sample]
    cuts = 0
    for (entry, decided), one in zip(sample, explained(filled, *requests), strict=True):
        assert (one.close_time, one.outcome) == (entry.close_time, decided.outcome)
        assert tuple(step.exposure for step in one.stages) == decided.stages
        assert one.target_lots == decided.target_lots
        assert one.sentence.startswith(OUTCOME_WORDS[decided.outcome])
        for wish in one.models:
            sent = next((s for s in entry.signals if s.model == wish.model), None)
            if sent is None:  # a halt plans symbols whose universe does not close
                assert wish.sentence.startswith("it sent no signals at this close")
                continue
            row = next(r for r in sent.rows if r.symbol == decided.symbol)
            assert wish.version == sent.version
            assert repr(wish.weight) == repr(row.weight)
            assert wish.action is row.action
        for before, step in zip(one.stages, one.stages[1:], strict=False):
            assert step.cut == (step.exposure != before.exposure)
            assert (" to " in step.sentence) == step.cut
            cuts += step.cut
    assert cuts > 0


def test_a_time_between_two_closes_is_about_the_decision_before_it(filled: LedgerDatabase) -> None:
    entry, decided = DECIDED[len(DECIDED) // 2]
    (one,) = explained(filled, pb.ExplainRequest(symbol=decided.symbol, at_ns=entry.close_time + 1))
    assert one.close_time == entry.close_time
    (newest,) = explained(filled, pb.ExplainRequest(symbol=decided.symbol))
    assert newest.close_time == max(e.close_time for e, d in DECIDED if d.symbol == decided.symbol)


def test_what_lies_below_the_band_says_how_much_it_was() -> None:
    entry, decided = next((e, d) for e, d in DECIDED if d.stages and d.symbol in e.marks)
    held = entry.positions.get(decided.symbol, 0)
    small = replace(decided, outcome=Outcome.BELOW_BAND, target_lots=held + 3)
    decision = replace(entry.decision, symbols=(small,), orders=())
    one = explain(PORTFOLIO, replace(entry, decision=decision), decided.symbol)
    instrument = next(i for i in PORTFOLIO.instruments if i.symbol == decided.symbol)
    worth = instrument.quantity(3) * entry.marks[decided.symbol]
    assert f"from {held:,} to {held + 3:,} lots, worth {worth:,.2f}" in one.sentence
    assert f"at an equity of {entry.decision.equity:,.2f}" in one.sentence


def test_rejections_open_into_symbols_and_dates(filled: LedgerDatabase) -> None:
    counts = Counter((d.outcome, d.symbol) for _, d in DECIDED if d.outcome in REJECTED)
    most = min(counts, key=lambda one: (-counts[one], one[1], one[0]))
    (reason, symbol), count = most, counts[most]
    times = [e.close_time for e, d in DECIDED if (d.outcome, d.symbol) == (reason, symbol)]

    async def ask(stub: "LedgerServiceAsyncStub") -> list[proofs_pb.QueryRejectionsResponse]:
        one = OUTCOME_TO_WIRE[reason]
        return [
            await stub.QueryRejections(pb.QueryRejectionsRequest()),
            await stub.QueryRejections(pb.QueryRejectionsRequest(reason=one)),
            await stub.QueryRejections(pb.QueryRejectionsRequest(reason=one, symbol=symbol)),
        ]

    every, of_reason, of_symbol = map(proofs.rejections_of, asked(filled, ask))
    assert {(r.reason, r.symbol): r.count for r in every.records} == dict(counts)
    assert every.total == counts.total()
    first = of_reason.records[0]
    assert (first.symbol, first.count) == (symbol, count)
    assert (first.first_close, first.last_close) == (times[0], times[-1])
    assert [one.first_close for one in of_symbol.records] == times
    assert of_symbol.total == count


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"order_id": "no-such-order"}, "there is no order 'no-such-order'"),
        ({"symbol": "EQUITY9"}, "the portfolio has no symbol 'EQUITY9': did you mean EQUITY"),
        ({"symbol": "%"}, "the portfolio has no symbol '%'"),
        ({"symbol": "", "order_id": "%%%%%%%%"}, "there is no order '%%%%%%%%'"),
    ],
)
def test_what_the_record_does_not_hold_is_told(
    filled: LedgerDatabase, wanted: dict[str, Any], said: str
) -> None:
    refused = refusal(filled, **wanted)
    assert refused.code() is grpc.StatusCode.NOT_FOUND
    assert said in str(refused.details())


def test_a_time_before_the_first_close_has_no_decision(filled: LedgerDatabase) -> None:
    async def ask(stub: "LedgerServiceAsyncStub") -> str:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Explain(pb.ExplainRequest(symbol=DECIDED[0][1].symbol, at_ns=1))
        return str(refused.value.details())

    assert "nothing was decided about" in asked(filled, ask)


def test_an_order_is_found_by_its_id_or_its_beginning_in_letters_of_either_case(
    database: LedgerDatabase,
) -> None:
    record(database, ENTRIES)
    ids = [order.order_id for entry in ENTRIES for order in entry.decision.orders]
    sought = next(one for one in ids if one[:13].upper() != one[:13])
    asked_as = [sought, sought.upper(), sought[:13], sought[:13].upper(), sought[:13].title()]
    for one in explained(database, *[pb.ExplainRequest(order_id=name) for name in asked_as]):
        assert one.order is not None
        assert one.order.order_id == sought


def test_the_running_ledger_verifies_itself(filled: LedgerDatabase) -> None:
    async def ask(stub: "LedgerServiceAsyncStub") -> tuple[proofs_pb.VerifyResponse, str]:
        status = await stub.GetStatus(pb.GetStatusRequest())
        return await stub.Verify(proofs_pb.VerifyRequest()), status.status.chain_hash

    answer, head = asked(filled, ask)
    found = proofs.verification_of(answer)
    assert found.passed
    assert not found.sealed
    assert found.records[0].chain_hash == head
    assert len(head) == 64


def test_every_stage_has_words() -> None:
    assert set(STAGE_WORDS) == set(Stage)
    assert set(OUTCOME_WORDS) == set(Outcome)
