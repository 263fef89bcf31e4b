"""stratvector backup and restore: all is as it was, and a purged log keeps its gaps."""

from __future__ import annotations

import fcntl
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libs.cli.tests.backed_up_house import (
    KEY,
    Empty,
    backed_up,
    backup,
    empty,
    made,
    run_command,
    standing,
)
from libs.cli.tests.test_archive_command import archived, flow, house, lanes_of
from stratvector.cli.backup.manifest import LIST, digest_of
from stratvector.runtime.holds import HOLDS, Holds
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.provisioner import provision, stream_settings
from stratvector.runtime.jetstream.topology import buckets, streams
from stratvector.services.ledger.adapters.database import LedgerDatabase
from tests.sessions.simulated_flow import Flow

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

__all__ = ["backup", "empty", "flow", "made"]  # fixtures
WEEKLY = "weekly-20260101T000000Z"


def test_a_restored_platform_is_as_it_would_be_provisioned_and_nothing_is_lost(
    backup: Path, empty: Empty, flow: Flow
) -> None:
    run = empty.restore(backup, "--config", str(empty.folder / "config"), "--json")
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told["ledger_closes"] == len(flow.entries)
    assert told["closes"] == {KEY: flow.entries[-1].close_time}
    assert told["left_out"] == {}
    assert min(told["seconds"].values()) >= 0.0
    journal = flow.world.bus.journal
    for lane in lanes_of(flow):
        assert empty.lane(lane) == [one for one in journal if one.message.subject == lane]

    async def same(client: Any) -> None:
        assert await provision(client) == ()
        for stream in (*streams(), *buckets()):
            info = json.loads((await client.request(f"$JS.API.STREAM.INFO.{stream.name}")).data)
            assert info["config"].items() >= stream_settings(stream).items()
        holds = await Holds(JetStreamKeyValue(client, HOLDS)).all()
        assert [key for key, one in holds.items() if one.stands] == [KEY]
        assert {one.backup for one in holds.values()} == {digest_of(backup)}

    empty.asked(same)
    database = LedgerDatabase(f"sqlite:///{empty.database}")
    assert database.verify().passed
    database.dispose()
    assert (empty.folder / "config" / "system.yaml").read_text() == "portfolio: main\n"
    assert empty.database.stat().st_mode & 0o777 == 0o640


def test_a_platform_that_is_provisioned_and_empty_is_taken(backup: Path, empty: Empty) -> None:
    async def make(client: Any) -> None:
        await provision(client)

    empty.asked(make)
    assert empty.restore(backup).exit_code == 0


def test_a_ledger_that_is_there_without_rows_is_taken(backup: Path, empty: Empty) -> None:
    database = LedgerDatabase(f"sqlite:///{empty.database}")
    database.prepare()
    database.close()
    assert empty.restore(backup).exit_code == 0


def test_older_backups_go_when_the_new_one_is_whole_and_one_is_written_at_a_time(
    place: Place, flow: Flow
) -> None:
    with house(place.folder, flow) as there:
        folder = place.folder / "backups"
        # One of a clock that was ahead, and another name that only begins alike.
        for day in ("20250101T000000Z", "20250102T000000Z", "29990101T000000Z", WEEKLY):
            older = folder / f"stratvector-{day}"
            older.mkdir(parents=True)
            (older / LIST).write_text("{}")
        (folder / "stratvector-notes").mkdir()
        (folder / ".stratvector-20250103T000000Z.part").mkdir()
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            run = backed_up(there, place.folder, "--keep", "2")
            assert "another backup is being written to" in run.output
            assert len(list(folder.glob("stratvector-2*"))) == 3
        run = backed_up(there, place.folder, "--keep", "2", "--json")
        assert run.exit_code == 0, run.output
        told = json.loads(run.stdout)
        assert told["removed"] == [f"stratvector-2025010{day}T000000Z" for day in (1, 2)]
        names = sorted(one.name for one in folder.iterdir() if one.name != ".lock")
        made = Path(told["backup"]).name
        assert names == [
            made, "stratvector-29990101T000000Z", "stratvector-notes", f"stratvector-{WEEKLY}",
        ]  # fmt: skip


def test_a_backup_that_fails_leaves_no_draft_and_removes_nothing(place: Place, flow: Flow) -> None:
    with house(place.folder, flow) as there:
        older = place.folder / "backups" / "stratvector-20250101T000000Z"
        older.mkdir(parents=True)
        (older / LIST).write_text("{}")
        run = backed_up(there, place.folder, "--keep", "1", "--store", "nowhere")
        assert run.exit_code == 1
        assert "--store nowhere: there is no such folder" in run.output
        left = [one.name for one in older.parent.iterdir() if one.name != ".lock"]
        assert left == [older.name]


def test_a_purged_log_is_restored_with_its_gaps_and_needs_its_ledger(
    place: Place, flow: Flow, empty: Empty
) -> None:
    with house(place.folder, flow) as there:
        assert archived(place, there).exit_code == 0
        before = {lane: there.lane(lane) for lane in lanes_of(flow)}
        refused = backed_up(there, place.folder, ledger=False)
        assert refused.exit_code == 1
        assert f"the log of {KEY} begins with chapter 4" in refused.output
        assert "name it with --database" in refused.output
        run = backed_up(there, place.folder)
        assert run.exit_code == 0, run.output
    (backup,) = (place.folder / "backups").glob("stratvector-*")
    restored = empty.restore(backup)
    assert restored.exit_code == 0, restored.output
    first = before[lanes_of(flow)[0]][0]
    assert first.previous > 0
    for lane, messages in before.items():
        assert empty.lane(lane) == messages
    assert replace(first, previous=0) != first


def test_what_is_not_held_is_not_released(place: Place, backup: Path, empty: Empty) -> None:
    assert empty.restore(backup).exit_code == 0
    where = ["--nats-url", empty.server.url]
    wrong = run_command("portfolios", "release", "replay.1.genrated", *where)
    assert "'replay.1.genrated' is not held; did you mean replay.1.generated?" in wrong.output
    assert run_command("portfolios", "release", KEY, *where).exit_code == 0
    assert standing(empty) == []
    again = run_command("portfolios", "release", KEY, *where)
    assert again.exit_code == 1
    assert "is not held; nothing is" in again.output
