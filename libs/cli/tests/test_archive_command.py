"""stratvector archive: files that prove themselves, then a log without what they hold."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from libs.cli.tests.test_parity_command import messages_of, one_lot_more, orders, stored_in
from stratvector.cli.platform.run_folder import RunFolder
from stratvector.runtime.archive import LIST, Archive, BadArchive
from stratvector.runtime.archived_log import ArchivedLog
from stratvector.runtime.jetstream.accounts import OPERATOR, PROVISIONER
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.ports import Stored
from stratvector.trading.lanes import bars_lane, fills_lane, orders_lane, signals_lane
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import answering, new_database, record
from tests.sessions.simulated_flow import Flow, run_flow

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

LENGTH = 40
KEY = "replay.1.generated"


@pytest.fixture(scope="module")
def flow() -> Flow:
    flow = run_flow(generated_session(8, Shape(2, 2, 2, closes=140)), closes_per_chapter=LENGTH)
    assert len(flow.openings) == 4
    return flow


@contextmanager
def house(folder: Path, flow: Flow, messages: list[Any] | None = None) -> Iterator[House]:
    """The flow's log on a real server, and its ledger on a real port."""
    session = folder / "session"
    server = stored_in(session, flow, messages_of(flow) if messages is None else messages)
    database, told = new_database(folder), list[str]()
    ready, done = Event(), Event()
    record(database, flow.entries)

    async def serve() -> None:
        async with answering(database, flow.session.portfolio) as found:
            told.append(found)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield House(session, server, told[0])
    finally:
        done.set()
        thread.join()
        database.close()
        server.stop()


class House:
    """Where a platform is asked."""

    def __init__(self, session: Path, server: NatsServer, address: str) -> None:
        self.session, self.server, self.address = session, server, address

    def options(self, address: str = "") -> list[str]:
        seed = KeyFolder(self.session / "keys").seed_file(PROVISIONER)
        given = {"nats-url": self.server.url, "seed-file": seed, "address": self.address}
        given |= {"address": address} if address else {}
        return [word for name, value in given.items() for word in (f"--{name}", str(value))]

    def lane(self, subject: str) -> list[Stored]:
        """What the log holds of a lane, as an operator reads it."""

        async def read() -> list[Stored]:
            seed = KeyFolder(self.session / "keys").seed_file(OPERATOR)
            client = await connect(self.server.url, seed, "test", 30.0)
            try:
                return list(await JetStreamBus(client).read(subject, 0, 4_096))
            finally:
                await client.close()

        return asyncio.run(read())


def archived(place: Place, house: House, *more: str, address: str = "") -> Any:
    return place.run("archive", KEY, "--to", "archive", *house.options(address), *more)


def lanes_of(flow: Flow) -> list[str]:
    portfolio = flow.session.portfolio
    signals = [signals_lane(portfolio, model) for model in portfolio.model_names]
    bars = [bars_lane(portfolio, one) for one in portfolio.universes]
    return [
        orders_lane(portfolio),
        fills_lane(portfolio, portfolio.account_names[0]),
        *signals,
        *bars,
    ]


def test_closed_chapters_are_archived_proven_and_purged_and_parity_reads_both(
    place: Place, flow: Flow
) -> None:
    with house(place.folder, flow) as there:
        before = {lane: there.lane(lane) for lane in lanes_of(flow)}
        plan = archived(place, there, "--dry-run", "--json")
        assert plan.exit_code == 0, plan.output
        expected = {"would_archive": [1, 2, 3, 4], "log_would_begin_with": 4}
        assert json.loads(plan.stdout).items() >= expected.items()
        assert not (place.folder / "archive").exists()
        run = archived(place, there, "--json")
        assert run.exit_code == 0, run.output
        told = json.loads(run.stdout)
        assert told["archived"] == [1, 2, 3, 4]
        assert (told["proven"], told["log_begins_with"]) == (4 * LENGTH, 4)
        assert all(told["purged"][lane] > 0 for lane in lanes_of(flow))
        for lane, messages in before.items():
            left = there.lane(lane)
            assert left == messages[len(messages) - len(left) :]
            assert len(left) == len(messages) - told["purged"][lane]
        listed = json.loads((place.folder / "archive" / LIST).read_text())
        assert (listed["proven"], listed["closes"]) == (4, 4 * LENGTH)
        again = json.loads(archived(place, there, "--json").stdout)
        assert again["archived"] == []
        assert set(again["purged"].values()) == {0}
        with RunFolder(there.session).held():
            refused = place.run("parity", "session")
            assert refused.exit_code == 78
            assert "begins with chapter 4: what was before is in its archive" in refused.output
            whole = place.run("parity", "session", "--archive", "archive")
    assert whole.exit_code == 0, whole.output
    assert f"equal: {len(flow.decisions)} closes" in whole.stdout


def test_an_archive_is_the_log_as_it_was_stored(place: Place, flow: Flow) -> None:
    with house(place.folder, flow) as there:
        run = archived(place, there, "--no-purge")
        assert run.exit_code == 0, run.output
        parts = Archive(place.folder / "archive").parts()
        archive = ArchivedLog(message for part in parts for message in part.messages)
        for lane in lanes_of(flow):
            stored = there.lane(lane)
            kept = asyncio.run(archive.read(lane, 0, 4_096))
            assert 0 < len(kept) < len(stored)
            # The trace id is for spans alone.
            assert [(s.sequence, s.previous, s.message.id) for s in kept] == [
                (s.sequence, s.previous, s.message.id) for s in stored[: len(kept)]
            ]
            assert [s.message.payload for s in kept] == [
                s.message.payload for s in stored[: len(kept)]
            ]


def test_whoever_was_killed_goes_on_with_the_file_that_the_list_lacks(
    place: Place, flow: Flow
) -> None:
    folder = place.folder / "archive"
    with house(place.folder, flow) as there:
        assert archived(place, there, "--no-purge").exit_code == 0
        files = {one.name: one.read_bytes() for one in folder.iterdir()}
        listed = json.loads(files[LIST])
        listed["chapters"], listed["proven"], listed["closes"] = listed["chapters"][:2], 1, LENGTH
        (folder / LIST).write_text(json.dumps(listed))
        (folder / ".chapter-00003.gz.draft").write_bytes(b"half")
        (folder / "chapter-00004.gz").unlink()
        run = archived(place, there, "--no-purge", "--json")
        assert json.loads(run.stdout)["archived"] == [3, 4]
        assert {one.name: one.read_bytes() for one in folder.iterdir()} == files


def test_what_is_not_proven_or_not_the_ledgers_yet_is_not_purged(place: Place, flow: Flow) -> None:
    messages = messages_of(flow)
    number = next(n for n, message in enumerate(messages) if orders(message))
    messages[number] = one_lot_more(messages[number])
    with house(place.folder, flow, messages) as there:
        lane = orders_lane(flow.session.portfolio)
        before = there.lane(lane)
        run = archived(place, there)
        assert run.exit_code == 1
        assert "nothing is purged: parity on archive says different at" in run.output
        assert there.lane(lane) == before


def test_each_refusal_is_a_sentence_and_changes_nothing(place: Place, flow: Flow) -> None:
    folder = place.folder / "archive"
    with house(place.folder, flow) as there:
        lane = orders_lane(flow.session.portfolio)
        before = there.lane(lane)
        away = archived(place, there, address="127.0.0.1:1")
        assert away.exit_code == 1
        assert "nothing is purged: " in away.output
        stranger = place.run("archive", "replay.1.other", "--to", "x", *there.options())
        assert "there is no portfolio 'replay.1.other' in the log" in stranger.output
        listed = json.loads((folder / LIST).read_text())
        for change, sentence in (
            (
                {"portfolio": "main"},
                "it is the archive of replay.1.main, not of replay",
            ),
            ({"log": "another"}, "it is of another log of replay.1.generated"),
            ({"chapters": 1}, "it is no list of an archive"),
        ):
            (folder / LIST).write_text(json.dumps(listed | change))
            refused = archived(place, there)
            assert refused.exit_code == 78
            assert sentence in " ".join(refused.output.split())
        (folder / LIST).write_text(json.dumps(listed))
        file = folder / "chapter-00002.gz"
        content = file.read_bytes()
        lines = gzip.decompress(content).splitlines(keepends=True)
        file.write_bytes(gzip.compress(b"".join(lines[:-1]), mtime=0))
        assert "it is not the file that was archived" in archived(place, there).output
        file.unlink()
        assert "the file of chapter 2 is missing" in archived(place, there).output
        file.write_bytes(content)
        assert there.lane(lane) == before
        assert archived(place, there).exit_code == 0
        other = place.run("archive", KEY, "--to", "empty", *there.options())
        assert other.exit_code == 78
        assert "go on in the folder that has it" in " ".join(other.output.split())
    with pytest.raises(BadArchive, match="there is no archive"):
        Archive(place.folder / "nothing").verify()


def test_an_archive_that_does_not_fit_the_log_is_refused_by_parity(
    place: Place, flow: Flow
) -> None:
    """A copy from before the purge, one of a longer log, a file that ends in the middle."""
    folder = place.folder / "archive"
    with house(place.folder, flow) as there:
        assert archived(place, there).exit_code == 0
        listed = json.loads((folder / LIST).read_text())
        file = folder / listed["chapters"][1]["file"]
        lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
        halved = gzip.compress(b"".join(lines[: len(lines) // 2]), mtime=0)
        short = [dict(one) for one in listed["chapters"]]
        short[1]["sha256"] = hashlib.sha256(halved).hexdigest()
        longer = [*listed["chapters"], listed["chapters"][-1] | {"number": 5}]
        with RunFolder(there.session).held():
            for chapters, content, sentence in (
                (listed["chapters"][:1], None, "chapter 2 is not in the archive"),
                (longer, None, "it has 5 closed chapters, and in the log 5 have opened"),
                (short, halved, "chapter 2"),
            ):
                (folder / LIST).write_text(json.dumps(listed | {"chapters": chapters}))
                whole = file.read_bytes()
                file.write_bytes(content or whole)
                refused = place.run("parity", "session", "--archive", "archive")
                file.write_bytes(whole)
                assert refused.exit_code != 0, sentence
                assert sentence in " ".join(refused.output.split())
                assert "Traceback" not in refused.output
