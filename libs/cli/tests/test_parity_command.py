"""stratvector parity: a session's folder with a real store, equal or with a planted difference."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratvector.cli.parity import verdict
from stratvector.cli.platform.run_folder import RunFolder
from stratvector.contracts.codecs import (
    decode_chapter,
    decode_decision,
    encode_decision,
)
from stratvector.runtime.chapters import chapter_message
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.accounts import PROVISIONER, USERS, accounts_config
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.ports import Kind, Message, Stored
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.engine.compiling import engine_hash
from stratvector.trading.orders import Decision
from stratvector.trading.parity import Parity
from stratvector.trading.timestamps import utc_text
from tests.sessions.begun import session_in
from tests.sessions.engine_flow import NEW, OLD, SHAPE, Stay, run_engines
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.late_flow import paper_session
from tests.sessions.simulated_flow import Flow, run_flow

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place


@pytest.fixture(scope="module")
def flow() -> Flow:
    """A session that met crashes."""
    return run_flow(generated_session(8, Shape(2, 2, 2, closes=10, warmup=2)), 8, Faults.stormy())


def server_of(folder: Path, flow: Flow) -> NatsServer:
    """The server of a session's folder, as the platform lays it out."""
    keys = KeyFolder(folder / "keys")
    accounts = accounts_config({user: keys.ensure(user) for user in USERS})
    settings = ServerSettings(folder.absolute() / "nats" / "store", free_port())
    return NatsServer(settings, folder / "nats", folder / "nats.log", accounts)


async def fill(server: NatsServer, folder: Path, flow: Flow, messages: Sequence[Message]) -> None:
    """Streams as provisioned, and messages on them."""
    seed = KeyFolder(folder / "keys").seed_file(PROVISIONER)
    client = await connect(server.url, seed, "writer", 10.0)
    try:
        await provision(client)
        bus, last = JetStreamBus(client), dict[str, int]()
        for message in messages[await there(bus, messages) :]:
            if message.subject not in last and (newest := await bus.last(message.subject)):
                last[message.subject] = newest.sequence
            answer = await bus.publish(message, last.get(message.subject, 0))
            last[message.subject] = answer.sequence
    finally:
        await client.close()


async def there(bus: JetStreamBus, messages: Sequence[Message]) -> int:
    """How many of the messages the log holds already, from the first on."""
    held = set[str]()
    for lane in {message.subject for message in messages}:
        held |= {stored.message.id for stored in await bus.read(lane, 0, 4096)}
    return len(held)


def stored_in(folder: Path, flow: Flow, messages: Sequence[Message]) -> NatsServer:
    """A session's folder whose log holds messages; its server runs."""
    session_in(folder, flow.session)
    server = server_of(folder, flow)
    server.start()
    asyncio.run(fill(server, folder, flow, messages))
    return server


def messages_of(flow: Flow) -> list[Message]:
    """Everything that was stored; a bus of these seconds would drop ids that came twice."""
    found: dict[str, Stored] = {}
    for stored in flow.world.bus.journal:
        found.setdefault(stored.message.id, stored)
    assert len(found) == len(flow.world.bus.journal)
    return [stored.message for stored in flow.world.bus.journal]


def one_lot_more(message: Message) -> Message:
    """A decision whose first order asks for one lot more."""
    decision = decode_decision(message.payload)
    first, *others = decision.orders
    more = 1 if first.lots > 0 else -1
    model = next(n for n, part in enumerate(first.parts) if part)
    parts = tuple(part + more * (n == model) for n, part in enumerate(first.parts))
    orders = (replace(first, lots=first.lots + more, parts=parts), *others)
    return replace(message, payload=encode_decision(replace(decision, orders=orders)))


def orders(message: Message) -> bool:
    """Whether a message is a decision that orders."""
    content = message.subject.startswith("orders.") and message.kind is Kind.CONTENT
    return content and bool(decode_decision(message.payload).orders)


def test_a_finished_session_is_equal_from_its_store_alone(place: Place, flow: Flow) -> None:
    stored_in(place.folder / "run" / "session", flow, messages_of(flow)).stop()
    before = sorted(p for p in (place.folder / "run" / "session" / "keys").iterdir())
    for given in ("run", "run/session"):
        run = place.run("parity", given)
        assert run.exit_code == 0, run.output
        orders = sum(len(decision.orders) for decision in flow.decisions)
        assert f"equal: {len(flow.decisions)} closes, {orders} orders, " in run.stdout
        assert run.stdout.rstrip().endswith("fills, equity to the bit")
    assert sorted((place.folder / "run" / "session" / "keys").iterdir()) == before


def test_a_session_that_still_runs_says_how_far_it_is_equal(place: Place, flow: Flow) -> None:
    messages = messages_of(flow)
    decided = [n for n, message in enumerate(messages) if message.subject.startswith("orders.")]
    until = decided[len(decided) // 2]
    server = stored_in(place.folder / "session", flow, messages[:until])
    try:
        with RunFolder(place.folder / "session").held():
            run = place.run("parity", ".", "--json")
            told = place.run("parity", ".").stdout
        assert server.pid is not None
    finally:
        server.stop()
    document = json.loads(run.stdout)
    assert run.exit_code == 1
    assert (document["equal"], document["complete"]) == (True, False)
    assert 0 < document["closes"] < document["scheduled_closes"] == len(flow.decisions)
    last = flow.decisions[document["closes"] - 1].close_time
    assert document["last_close"] == utc_text(last)
    assert f"equal up to {utc_text(last)}: {document['closes']} of {len(flow.decisions)}" in told


def test_a_planted_difference_is_explained_and_fails(place: Place, flow: Flow) -> None:
    messages = messages_of(flow)
    number = next(n for n, message in enumerate(messages) if orders(message))
    planted = messages[number]
    decision: Decision = decode_decision(planted.payload)
    messages[number] = one_lot_more(planted)
    stored_in(place.folder / "session", flow, messages).stop()
    run = place.run("parity", "session")
    order = decision.orders[0]
    assert run.exit_code == 1
    assert (
        f"different at {utc_text(decision.close_time)}: orders of {order.symbol}, orders.lots: "
        f"{order.lots + 1} in the log, {order.lots} in the replay" in run.stdout
    )
    assert "stage netted" in run.stdout
    assert planted.id in run.stdout
    difference = json.loads(place.run("parity", "session", "--json").stdout)["difference"]
    assert difference["noun"] == "orders"
    assert difference["close"] == utc_text(decision.close_time)
    assert (difference["subject"], difference["what"]) == (order.symbol, "orders.lots")
    assert difference["messages"]["orders"] == planted.id
    assert {"what": "outcome", "logged": "ordered", "replayed": "ordered"} in difference["facts"]


@pytest.mark.parametrize("hash_of_the_run", ["0" * 16, engine_hash()])
def test_the_engine_of_the_run_is_told_and_that_of_the_replay_where_it_is_another(
    place: Place, flow: Flow, hash_of_the_run: str
) -> None:
    stored_in(place.folder / "session", flow, messages_by(flow, hash_of_the_run)).stop()
    run = place.run("parity", "session")
    assert run.exit_code == 0
    assert f"the session ran on engine {hash_of_the_run}" in run.stderr
    other = f"it is replayed by {engine_hash()}"
    assert (other in run.stderr) == (hash_of_the_run != engine_hash())
    document = json.loads(place.run("parity", "session", "--json").stdout)
    assert document["engine_hash"] == hash_of_the_run
    assert document["replayed_by_engine_hash"] == engine_hash()


def test_a_run_over_two_engines_is_told_chapter_by_chapter(place: Place) -> None:
    """Which engine each names and who replays it; and what was not computed by that one."""
    session = paper_session(0, replace(SHAPE, closes=24))
    stays = [Stay("execution", NEW), Stay("risk", OLD, 0.0, 4.0), Stay("risk", engine_hash(), 2.0)]
    two = run_engines(session, stays)
    stored_in(place.folder / "session", two, messages_of(two)).stop()
    run = place.run("parity", "session")
    assert run.exit_code == 0, run.stderr
    document = json.loads(place.run("parity", "session", "--json").stdout)
    closes = [sum(d.chapter == number for d in two.decisions) for number in (1, 2)]
    assert min(closes) > 0
    told = [
        (one["engine_hash"], one["closes"], one["equal"], one["proven"])
        for one in document["chapters"]
    ]
    assert told == [(OLD, closes[0], True, False), (engine_hash(), closes[1], True, True)]
    assert (
        f"chapter 1, engine {OLD}, {closes[0]} closes, replayed by engine {engine_hash()}: equal; "
        f"fills of {closes[0]} closes are of engine {NEW}" in run.stderr
    )
    assert (
        f"chapter 2, engine {engine_hash()}, {closes[1]} closes: equal; fills of {closes[1]} "
        f"closes are of engine {NEW}" in run.stderr
    )


def messages_by(flow: Flow, engine: str) -> list[Message]:
    """The log as another engine would have opened it."""
    messages = messages_of(flow)
    (place,) = [n for n, m in enumerate(messages) if m.subject.startswith("chapters.")]
    chapter = replace(decode_chapter(messages[place].payload), engine_hash=engine)
    messages[place] = chapter_message(chapter, messages[place].epoch)
    return messages


def test_a_strange_server_on_the_sessions_port_is_not_asked(place: Place, flow: Flow) -> None:
    server = stored_in(place.folder / "session", flow, messages_of(flow))
    server.stop()
    other = place.folder / "other"
    settings = replace(server.settings, store=other / "store")
    stranger = NatsServer(settings, other, other / "log", "authorization { token: secret }")
    stranger.start()
    try:
        assert place.run("parity", "session").exit_code == 0
    finally:
        stranger.stop()


def test_a_copied_folder_is_read_from_its_own_store_while_the_first_one_runs(
    place: Place, flow: Flow
) -> None:
    """The copy has the port, the keys and the server's name of a platform that goes on."""
    messages = messages_of(flow)
    first, copy = place.folder / "first", place.folder / "copy"
    decided = [n for n, message in enumerate(messages) if message.subject.startswith("orders.")]
    server = stored_in(first, flow, messages[: decided[-2]])
    try:
        server.stop()
        shutil.copytree(first, copy)
        server.start()
        asyncio.run(fill(server, first, flow, messages))
        with RunFolder(first).held():
            whole = json.loads(place.run("parity", "first", "--json").stdout)
            part = json.loads(place.run("parity", "copy", "--json").stdout)
    finally:
        server.stop()
    assert (whole["equal"], whole["complete"]) == (True, True)
    assert (part["equal"], part["complete"]) == (True, False)
    assert 0 < part["closes"] < whole["closes"]


def test_a_folder_that_is_not_there_is_one_sentence(place: Place) -> None:
    run = place.run("parity", "nowhere")
    assert run.exit_code == 1
    assert run.stderr == "stratvector: nowhere: there is no such folder\n"


def test_a_folder_without_a_session_is_one_sentence(place: Place) -> None:
    run = place.run("parity", "config")
    assert run.exit_code == 1
    assert run.stderr.startswith(
        "stratvector: config: no session lies there, neither document.json"
    )


def test_a_session_without_a_log_is_one_sentence(place: Place, flow: Flow) -> None:
    session_in(place.folder / "session", flow.session)
    run = place.run("parity", "session")
    assert run.exit_code == 1
    assert run.stderr == ("stratvector: session: there is no log, session/nats/store is missing\n")


def test_a_log_without_streams_is_one_sentence(
    place: Place, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratvector.cli.stored_log.STREAMS_SECONDS", 0.5)
    session_in(place.folder / "session", flow.session)
    server = server_of(place.folder / "session", flow)
    server.start()
    server.stop()
    run = place.run("parity", "session")
    assert run.exit_code == 1
    assert run.stderr == (
        "stratvector: session: its log has no stream CHAPTERS; "
        "the session has not begun to run, or a part of its log is lost\n"
    )


def test_how_far_a_session_without_a_known_end_is_equal_is_told_without_a_whole() -> None:
    begun = Parity(
        scheduled=None,
        closes=1_234,
        whole=False,
        last_close=1_577_836_800 * 10**9,
        orders=5,
        fills=4,
        first=None,
        others=0,
        positions_behind=0,
        notes=(),
    )
    told = verdict(begun)
    assert told.startswith("equal up to 2020-01-01T00:00:00Z: 1,234 closes so far, 5 orders, ")
    nothing = replace(begun, closes=0, last_close=None)
    assert verdict(nothing) == "nothing to compare yet: no close is complete"


def test_a_session_that_has_not_begun_is_one_sentence(place: Place, flow: Flow) -> None:
    stored_in(place.folder / "session", flow, []).stop()
    run = place.run("parity", "session")
    assert run.exit_code == 1
    assert run.stderr == (
        "stratvector: session: its log has no chapter; the session has not begun to run\n"
    )


def test_a_session_without_a_complete_close_has_nothing_to_compare(
    place: Place, flow: Flow
) -> None:
    chapter = [m for m in messages_of(flow) if m.subject.startswith("chapters.")]
    stored_in(place.folder / "session", flow, chapter).stop()
    run = place.run("parity", "session")
    assert run.exit_code == 1
    closes = len(flow.decisions)
    assert f"nothing to compare yet: none of {closes} closes is complete" in run.stdout
