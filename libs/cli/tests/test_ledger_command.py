"""`stratvector ledger` against a real ledger on a real port, and against nothing."""

import asyncio
import json
import socket
from collections.abc import Iterator
from decimal import Decimal
from threading import Event, Thread
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from stratvector.cli.main import app
from stratvector.trading.fills import FillKind
from stratvector.trading.ledger import rounded_money
from stratvector.trading.timestamps import utc_text
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import answering, new_database, record
from tests.sessions.simulated_flow import run_flow

FLOW = run_flow(generated_session(7, Shape(2, 3, 3, closes=60)))
ENTRIES = FLOW.entries
NAME = ENTRIES[0].portfolio
COMMANDS = ["status", "orders", "fills", "equity", "positions", "attribution"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ledger that answers in a thread of its own, as the command blocks this one."""
    database = new_database(tmp_path_factory.mktemp("ledger"))
    record(database, ENTRIES)
    addresses: list[str] = []
    ready, done = Event(), Event()

    async def serve() -> None:
        async with answering(database, FLOW.session.portfolio) as found:
            addresses.append(found)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield addresses[0]
    done.set()
    thread.join()
    database.close()


def ask(*arguments: str) -> Result:
    # So wide that no cell is broken.
    return CliRunner().invoke(app, ["ledger", *arguments], env={"COLUMNS": "250"})


def document(*arguments: str) -> Any:
    answer = ask(*arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_status_tells_how_far_the_record_has_come(address: str) -> None:
    told = document("status", "--address", address)
    assert told["portfolio"] == NAME
    assert told["closes"] == len(ENTRIES)
    assert told["last_close"] == utc_text(ENTRIES[-1].close_time)
    assert told["equity"] == f"{rounded_money(ENTRIES[-1].equity):f}"


def test_orders_and_fills_are_all_there_with_the_models_parts(address: str) -> None:
    orders = document("orders", "--address", address)["orders"]
    fills = document("fills", "--address", address)["fills"]
    approved = [order for entry in ENTRIES for order in entry.decision.orders]
    executed = [e for entry in ENTRIES for e in entry.events if e.kind is FillKind.FILLED]
    assert [one["order_id"] for one in orders] == [order.order_id for order in approved]
    assert [one["price"] for one in fills] == [str(event.price) for event in executed]
    assert all(sum(one["parts"].values()) == one["lots"] for one in orders + fills)
    assert {one["status"] for one in orders} >= {"filled"}


def test_a_range_of_dates_includes_its_last_day(address: str) -> None:
    day = utc_text(ENTRIES[30].close_time)[:10]
    closes = document("equity", "--address", address, "--start", day, "--end", day)["closes"]
    times = [one["close_time"] for one in closes]
    assert times == [
        utc_text(entry.close_time)
        for entry in ENTRIES
        if f"{day}T00:00:00Z" <= utc_text(entry.close_time)
        and (utc_text(entry.close_time)[:10] == day or _is_next_midnight(entry.close_time, day))
    ]


def _is_next_midnight(close_time: int, day: str) -> bool:
    return utc_text(close_time).endswith("T00:00:00Z") and utc_text(close_time - 1)[:10] == day


def test_positions_and_attribution_say_whose_they_are(address: str) -> None:
    held = document("positions", "--address", address)
    lots = {one["symbol"]: one["lots"] for one in held["positions"] if one["lots"]}
    assert lots == ENTRIES[-1].positions
    results = document("attribution", "--address", address)["models"]
    assert {one["model"]: one["profit"] for one in results} == {
        model.model: f"{rounded_money(model.equity):f}" for model in ENTRIES[-1].models
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_each_question_prints_a_table_for_people(address: str, command: str) -> None:
    answer = ask(command, "--address", address)
    assert answer.exit_code == 0, answer.output
    assert len(answer.stdout.splitlines()) > 3
    if command in ("orders", "fills", "equity"):
        assert "the newest 40 of" in answer.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_that_answers_is_told_in_one_sentence(command: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        # Nobody else is given the port while it is held, and nobody listens on it.
        address = f"127.0.0.1:{free.getsockname()[1]}"
        answer = ask(command, "--address", address)
    assert answer.exit_code == 1
    assert answer.stderr == f"stratvector: nothing answers at {address}: is the platform up?\n"


def test_another_portfolio_is_told_in_the_ledgers_own_words(address: str) -> None:
    answer = ask("status", "--address", address, "--portfolio", "pension")
    assert answer.exit_code == 1
    there = f"there is {NAME} in {ENTRIES[0].run}"
    assert answer.stderr == f"stratvector: the ledger has no portfolio 'pension'; {there}\n"


def test_what_answers_but_is_no_ledger_is_told() -> None:
    async def run() -> Result:
        server = grpc.aio.server()
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        answer = await asyncio.to_thread(ask, "status", "--address", address)
        await server.stop(None)
        assert answer.stderr == f"stratvector: what answers at {address} is no ledger\n"
        return answer

    assert asyncio.run(run()).exit_code == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--start", "soon"], "'soon' is neither a date nor a time"),
        (["--start", "2018-01-03", "--end", "2018-01-01"], "--end 2018-01-01 is before --start"),
    ],
)
def test_a_range_that_is_none_is_refused_before_anybody_is_asked(
    options: list[str], said: str
) -> None:
    answer = ask("orders", *options)
    assert answer.exit_code == 1
    assert said in answer.stderr


def test_the_commands_of_the_ledger_are_listed() -> None:
    listed = CliRunner().invoke(app, ["ledger", "--help"]).stdout
    assert all(command in listed for command in COMMANDS)


def test_quantities_are_in_units_beside_the_lots(address: str) -> None:
    sizes = {one.symbol: one.lot_size for one in FLOW.session.portfolio.instruments}
    orders = document("orders", "--address", address)["orders"]
    assert [Decimal(one["quantity"]) for one in orders] == [
        one["lots"] * sizes[one["symbol"]] for one in orders
    ]
    newest = orders[-1]
    told = ask("orders", "--address", address).stdout
    assert f"{Decimal(newest['quantity']):+,f}" in told
    assert f"{newest['lots']:+,}" in told
