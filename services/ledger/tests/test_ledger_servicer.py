"""The ledger asked over gRPC: the answers are what was committed, page by page or at once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import pytest
from sqlalchemy import text

from stratvector.contracts.codecs import encode_ledger_entry
from stratvector.contracts.codecs import ledger_service as codec
from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.page_tokens import PAGE_SIZE_MAX
from stratvector.trading.fills import TERMINAL, FillKind
from stratvector.trading.identity import chained_hash
from stratvector.trading.ledger import LedgerEntry, rounded_money
from stratvector.trading.ledger_answers import (
    AccountCash,
    EquityRecord,
    FillRecord,
    HeldPositions,
    LedgerStatus,
    ModelEquity,
    ModelResult,
    OrderRecord,
    PositionRecord,
)
from stratvector.trading.order_causes import deciding_stage, reason_of
from stratvector.trading.reasons import Stage
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import SERVERS, answering, new_database, new_database_on, record
from tests.sessions.simulated_flow import run_flow

if TYPE_CHECKING:
    from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

# A broker that rejects now and then, so that orders end in more than one way.
FLOW = run_flow(generated_session(7, Shape(2, 3, 3, closes=60)), identity=Identity.UNIQUE_FOR_EVER)
ENTRIES = FLOW.entries
NAME, RUN = ENTRIES[0].portfolio, ENTRIES[0].run
LOT_SIZES = {one.symbol: one.lot_size for one in FLOW.session.portfolio.instruments}
MODELS = [model.model for model in ENTRIES[0].models]
SIZES = [1, 7, PAGE_SIZE_MAX]
MIDDLE = slice(len(ENTRIES) // 4, len(ENTRIES) // 2)
RANGES = [slice(0, len(ENTRIES)), MIDDLE, slice(3, 4)]
Answer = TypeVar("Answer")


@pytest.fixture(scope="module", params=SERVERS)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LedgerDatabase]:
    """Every close, on each kind of database; nobody adds one."""
    if request.param == "sqlite":
        database = new_database(tmp_path_factory.mktemp("ledger"))
    else:
        database = new_database_on(request.getfixturevalue("server"))
    record(database, ENTRIES)
    yield database
    database.close()


def asked(
    database: LedgerDatabase, question: Callable[["LedgerServiceAsyncStub"], Awaitable[Answer]]
) -> Answer:
    """The answer of a real server, on a free port, over a real channel."""

    async def run() -> Answer:
        async with (
            answering(database, FLOW.session.portfolio) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            return await question(LedgerServiceStub(channel))

    return asyncio.run(run())


def closes(part: slice) -> pb.CloseRange:
    entries = ENTRIES[part]
    return pb.CloseRange(start_ns=entries[0].close_time, end_ns=entries[-1].close_time)


async def pages(call: Any, request: Callable[..., Any], part: slice, size: int) -> list[Any]:
    """Every page, asked for with the token of the one before."""
    found = [await call(request(range=closes(part), page=pb.PageRequest(size=size)))]
    while token := found[-1].next_page_token:
        page = pb.PageRequest(size=size, token=token)
        found.append(await call(request(range=closes(part), page=page)))
    return found


def shares(parts: tuple[int, ...]) -> dict[str, int]:
    return {model: lots for model, lots in zip(MODELS, parts, strict=True) if lots}


def expected_orders(entries: list[LedgerEntry]) -> list[OrderRecord]:
    filled: Counter[str] = Counter()
    newest = {}
    for entry in ENTRIES:
        for event in entry.events:
            filled[event.order_id] += event.lots
            newest[event.order_id] = event
    return [
        OrderRecord(
            entry.close_time,
            order.order_id,
            order.symbol,
            order.lots,
            shares(order.parts),
            order.reference_price,
            order.expires_at,
            filled[order.order_id],
            newest[order.order_id].kind if order.order_id in newest else None,
            newest[order.order_id].text if order.order_id in newest else "",
            *cause_of(entry, order.symbol),
        )
        for entry in entries
        for order in entry.decision.orders
    ]


def cause_of(entry: LedgerEntry, symbol: str) -> tuple[str, Stage]:
    """Reason and stage, from the decision itself."""
    (decided,) = (one for one in entry.decision.symbols if one.symbol == symbol)
    reason = reason_of(decided.weight_reasons, entry.decision.halted)
    return reason, deciding_stage(decided.stages)


def expected_fills(entries: list[LedgerEntry]) -> list[FillRecord]:
    return [
        FillRecord(
            entry.close_time,
            event.execution_id,
            event.order_id,
            event.symbol,
            event.lots,
            shares(dict(entry.attributed)[event.execution_id]),
            event.price,
            event.commission,
            event.slippage,
            event.fill_time,
            event.known_time,
        )
        for entry in entries
        for event in entry.events
        if event.kind is FillKind.FILLED
    ]


def expected_equity(entries: list[LedgerEntry]) -> list[EquityRecord]:
    return [
        EquityRecord(
            entry.close_time,
            rounded_money(entry.cash),
            rounded_money(entry.equity),
            entry.decision.equity,
            entry.decision.gross_exposure,
            entry.decision.drawdown_factor,
            entry.decision.halted,
            entry.decision.reduce_only,
            tuple(
                ModelEquity(m.model, *map(rounded_money, (m.cash, m.commission, m.equity)))
                for m in entry.models
            ),
            tuple(AccountCash(name, rounded_money(cash)) for name, cash in entry.accounts.items()),
        )
        for entry in entries
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("part", RANGES)
def test_orders_come_with_what_became_of_them(
    filled: LedgerDatabase, part: slice, size: int
) -> None:
    found = asked(filled, lambda stub: pages(stub.QueryOrders, pb.QueryOrdersRequest, part, size))
    orders = [codec.order_of(order) for page in found for order in page.orders]
    assert orders == expected_orders(ENTRIES[part])
    assert all(len(page.orders) <= size for page in found)


def test_an_order_says_how_it_ended(filled: LedgerDatabase) -> None:
    whole = slice(0, len(ENTRIES))
    found = asked(filled, lambda stub: pages(stub.QueryOrders, pb.QueryOrdersRequest, whole, 1_000))
    ends = {
        event.order_id: event.kind
        for entry in ENTRIES
        for event in entry.events
        if event.kind in TERMINAL
    }
    orders = [codec.order_of(order) for page in found for order in page.orders]
    for order in orders:
        if order.filled_lots == order.lots:
            assert order.status == "filled"
        else:
            assert order.status == (
                ends[order.order_id].name.lower() if order.order_id in ends else "working"
            )
    assert {"filled", "rejected"} <= {order.status for order in orders}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("part", RANGES)
def test_fills_come_in_their_order_with_each_models_part(
    filled: LedgerDatabase, part: slice, size: int
) -> None:
    found = asked(filled, lambda stub: pages(stub.QueryFills, pb.QueryFillsRequest, part, size))
    fills = [codec.fill_of(fill) for page in found for fill in page.fills]
    assert fills == expected_fills(ENTRIES[part])
    for fill in fills:
        assert sum(fill.parts.values()) == fill.lots


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("part", RANGES)
def test_equity_comes_close_by_close_with_each_models_share(
    filled: LedgerDatabase, part: slice, size: int
) -> None:
    found = asked(filled, lambda stub: pages(stub.QueryEquity, pb.QueryEquityRequest, part, size))
    records = [codec.equity_of(one) for page in found for one in page.closes]
    assert records == expected_equity(ENTRIES[part])


@pytest.mark.parametrize("place", [0, 9, len(ENTRIES) - 1])
@pytest.mark.parametrize("later", [0, 1])
def test_positions_are_those_after_the_newest_close_at_or_before(
    filled: LedgerDatabase, place: int, later: int
) -> None:
    entry = ENTRIES[place]
    request = pb.QueryPositionsRequest(at_ns=entry.close_time + later)
    held = codec.positions_of(asked(filled, lambda stub: stub.QueryPositions(request)))
    assert held == HeldPositions(
        entry.close_time,
        tuple(
            PositionRecord(
                symbol,
                entry.positions.get(symbol, 0),
                {m.model: m.positions[symbol] for m in entry.models if symbol in m.positions},
            )
            for symbol in sorted({s for m in entry.models for s in m.positions})
        ),
    )


def test_there_are_no_positions_before_the_first_close(filled: LedgerDatabase) -> None:
    request = pb.QueryPositionsRequest(at_ns=ENTRIES[0].close_time - 1)
    answer = asked(filled, lambda stub: stub.QueryPositions(request))
    assert codec.positions_of(answer) == HeldPositions(None, ())


@pytest.mark.parametrize("part", RANGES)
def test_attribution_is_what_the_models_earned_within_the_range(
    filled: LedgerDatabase, part: slice
) -> None:
    request = pb.GetAttributionRequest(range=closes(part))
    answer = asked(filled, lambda stub: stub.GetAttribution(request))
    fills = Counter(m for fill in expected_fills(ENTRIES[part]) for m in fill.parts)
    before, after = ENTRIES[part.start - 1].models, ENTRIES[part.stop - 1].models
    nothing = Decimal(0)
    expected = [
        ModelResult(
            new.model,
            rounded_money(new.equity - (old.equity if part.start else nothing)),
            rounded_money(new.commission - (old.commission if part.start else nothing)),
            fills[new.model],
        )
        for old, new in zip(before, after, strict=True)
    ]
    assert [codec.result_of(one) for one in answer.models] == expected


def folded(entries: list[LedgerEntry]) -> str:
    """The chain's hash as anybody computes it from the log."""
    chain = ""
    for entry in entries:
        chain = chained_hash(chain, NAME, entry.close_time, encode_ledger_entry(entry))
    return chain


def test_the_status_counts_what_is_committed(database: LedgerDatabase) -> None:
    record(database, ENTRIES[:20])
    status = asked(database, lambda stub: stub.GetStatus(pb.GetStatusRequest(portfolio=NAME)))
    entries = ENTRIES[:20]
    assert codec.status_of(status.status) == LedgerStatus(
        NAME,
        20,
        entries[0].close_time,
        entries[-1].close_time,
        rounded_money(entries[-1].cash),
        rounded_money(entries[-1].equity),
        sum(len(entry.signals) for entry in entries),
        sum(len(entry.decision.orders) for entry in entries),
        len(expected_fills(entries)),
        folded(entries),
        LOT_SIZES,
        RUN,
    )


def test_an_empty_ledger_answers_with_nothing(database: LedgerDatabase) -> None:
    async def everything(stub: "LedgerServiceAsyncStub") -> list[Any]:
        return [
            await stub.GetStatus(pb.GetStatusRequest()),
            await stub.QueryOrders(pb.QueryOrdersRequest()),
            await stub.QueryFills(pb.QueryFillsRequest()),
            await stub.QueryEquity(pb.QueryEquityRequest()),
            await stub.QueryPositions(pb.QueryPositionsRequest()),
            await stub.GetAttribution(pb.GetAttributionRequest()),
        ]

    status, *others = asked(database, everything)
    assert codec.status_of(status.status) == LedgerStatus(
        NAME, 0, None, None, None, None, 0, 0, 0, "", LOT_SIZES, RUN
    )
    assert [one.ByteSize() for one in others] == [0] * 5


def refusal(
    database: LedgerDatabase, question: Callable[["LedgerServiceAsyncStub"], Any]
) -> tuple[grpc.StatusCode, str]:
    async def run(stub: "LedgerServiceAsyncStub") -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await question(stub)
        return error.value.code(), error.value.details() or ""

    return asked(database, run)


def test_a_portfolio_that_it_does_not_keep_is_not_found(database: LedgerDatabase) -> None:
    code, said = refusal(
        database, lambda stub: stub.GetStatus(pb.GetStatusRequest(portfolio="pension"))
    )
    assert code is grpc.StatusCode.NOT_FOUND
    assert said == f"the ledger has no portfolio 'pension'; there is {NAME} in {RUN}"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"page": pb.PageRequest(size=1_001)}, "page.size is 1001; it must be at most 1000"),
        ({"page": pb.PageRequest(token="x")}, "page.token is 'x'; it must be the one of the page"),
        ({"page": pb.PageRequest(token="1.2.3")}, "page.token is '1.2.3'"),
        ({"page": pb.PageRequest(token="1.02")}, "page.token is '1.02'"),
        ({"page": pb.PageRequest(token=f"{2**70}.1")}, "page.token is"),
        ({"range": pb.CloseRange(start_ns=5, end_ns=4)}, "range.start_ns is 5, after range.end_ns"),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(
    database: LedgerDatabase, fields: dict[str, Any], said: str
) -> None:
    code, told = refusal(database, lambda stub: stub.QueryOrders(pb.QueryOrdersRequest(**fields)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert told.startswith(said)


def test_a_database_that_can_not_be_read_is_an_error_with_a_sentence(
    database: LedgerDatabase,
) -> None:
    with database.writer.begin() as connection:
        connection.execute(text("DROP TABLE order_parts"))
    record_nothing = pb.QueryOrdersRequest()
    code, said = refusal(database, lambda stub: stub.QueryOrders(record_nothing))
    assert code is grpc.StatusCode.INTERNAL
    assert said.startswith(f"ledger database {database.shown}: ")
    assert said.endswith(("no such table: order_parts", '"order_parts" does not exist'))


def test_a_question_is_answered_while_a_close_is_being_written(database: LedgerDatabase) -> None:
    record(database, ENTRIES[:5])
    with database.writer.begin() as connection:
        connection.execute(text("DELETE FROM signal_rows"))
        status = asked(database, lambda stub: stub.GetStatus(pb.GetStatusRequest()))
        assert status.status.closes == 5


def test_closes_that_are_committed_between_two_pages_move_nothing(
    database: LedgerDatabase,
) -> None:
    record(database, ENTRIES[:10])

    async def two_pages(stub: "LedgerServiceAsyncStub") -> list[int]:
        first = await stub.QueryEquity(pb.QueryEquityRequest(page=pb.PageRequest(size=6)))
        await asyncio.to_thread(record, database, ENTRIES[9:])
        page = pb.PageRequest(size=6, token=first.next_page_token)
        second = await stub.QueryEquity(pb.QueryEquityRequest(page=page))
        return [one.close_time_ns for answer in (first, second) for one in answer.closes]

    assert asked(database, two_pages) == [entry.close_time for entry in ENTRIES[:12]]
