"""Bars that are not in the store are loaded from where the document says, or refused."""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from stratvector.config import load_session
from stratvector.market.bars_source import BarsSource
from stratvector.market.read_options import ReadOptions
from stratvector.services.market_data.loading import BarsUnavailable, bars_at_hand
from stratvector.services.market_data.replay_store import ReplayStore, StoredPanel
from stratvector.trading.session import Session
from tests.sessions.small_configuration import write_configuration

WAIT_SECONDS = 60.0


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """One whose bars stand in a CSV file of the working folder."""
    monkeypatch.chdir(tmp_path)
    write_configuration(tmp_path)
    return load_session("config/system.yaml")


def at_hand(folder: Path, session: Session, hash: str | None = None) -> StoredPanel:
    universe = session.portfolio.universes[0]
    history = session.histories[universe.name]
    source = {"source": history.source, "load": history.load}
    wanted = hash or session.bars_hash(universe.name)
    return asyncio.run(bars_at_hand(ReplayStore(folder), wanted, universe, source))


def test_a_file_is_loaded_to_the_same_bars_from_any_working_folder(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    universe = session.portfolio.universes[0].name
    panel = at_hand(tmp_path / "store", session)
    closes = session.histories[universe].bars.close_times
    assert panel.hash == session.bars_hash(universe)
    assert panel.close_times.tolist() == closes.tolist()


def test_what_lies_in_the_store_is_not_loaded_again(session: Session, tmp_path: Path) -> None:
    at_hand(tmp_path / "store", session)
    Path("prices.csv").unlink()
    at_hand(tmp_path / "store", session)


def test_a_spoilt_panel_is_loaded_again(session: Session, tmp_path: Path) -> None:
    panel = at_hand(tmp_path / "store", session)
    place = panel.folder / "values.npy"
    place.write_bytes(place.read_bytes()[:-8])
    assert at_hand(tmp_path / "store", session).hash == panel.hash


def test_a_file_that_says_something_else_now_is_refused(session: Session, tmp_path: Path) -> None:
    head, *lines = Path("prices.csv").read_text().splitlines()
    others = [",".join([*line.split(",")[:-1], "1"]) for line in lines]
    Path("prices.csv").write_text("\n".join([head, *others]) + "\n")
    with pytest.raises(BarsUnavailable, match=r"are not those that the log began with: their hash"):
        at_hand(tmp_path / "store", session)


def test_a_source_that_is_gone_is_one_sentence(session: Session, tmp_path: Path) -> None:
    Path("prices.csv").unlink()
    with pytest.raises(BarsUnavailable, match=r"can't be loaded: .*prices\.csv") as refused:
        at_hand(tmp_path / "store", session)
    assert "\n" not in str(refused.value)


def test_bars_of_memory_that_are_not_in_the_store_are_missed(
    session: Session, tmp_path: Path
) -> None:
    universe = session.portfolio.universes[0]
    source: dict[str, Any] = {"source": "", "load": None}
    store = ReplayStore(tmp_path / "store")
    with pytest.raises(BarsUnavailable, match=r"abcdef01 are not in .*, memory, can't be read"):
        asyncio.run(bars_at_hand(store, "abcdef01" * 8, universe, source))


def test_a_description_is_read_back_as_it_was(session: Session) -> None:
    described = session.histories[session.portfolio.universes[0].name].load
    assert described is not None
    source = BarsSource.from_document(described)
    assert source.document() == described
    reading = ReadOptions(
        columns={"close": "C"}, tz="Asia/Tokyo", drop=("bad_volume",), keep="last"
    )
    read = replace(source, reading=reading)
    assert BarsSource.from_document(json.loads(json.dumps(read.document()))) == read
    told = dict(described)
    for broken in (told | {"unknown": 1}, told | {"reading": {"tz": "UTC"}}):
        with pytest.raises(ValueError, match="can't be read"):
            BarsSource.from_document(broken)


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("warmup_closes", "x", "it must be a whole number"),
        ("warmup_closes", True, "it must be a whole number"),
        ("symbols", "AAA", "it must be a list"),
        ("symbols", [1], "they must be texts"),
        ("strict", 1, "it must be true or false"),
        ("source", None, "it must be a text"),
    ],
)
def test_a_description_of_other_kinds_is_refused(
    session: Session, tmp_path: Path, key: str, value: object, rule: str
) -> None:
    universe = session.portfolio.universes[0]
    described = dict(session.histories[universe.name].load or {}) | {key: value}
    source = {"source": "prices.csv", "load": described}
    store, hash = ReplayStore(tmp_path / "store"), session.bars_hash(universe.name)
    with pytest.raises(ValueError, match=rule):
        BarsSource.from_document(described)
    if value == "x":  # once through the child
        with pytest.raises(BarsUnavailable, match=rule):
            asyncio.run(bars_at_hand(store, hash, universe, source))


@pytest.mark.parametrize("name", ["", "..", "../" + 61 * "0", 64 * "A", 65 * "a", 63 * "a" + "\n"])
def test_a_hash_that_is_none_removes_nothing(session: Session, tmp_path: Path, name: str) -> None:
    (tmp_path / "store").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BarsUnavailable, match="is no hash of bars: it must be 64 hexadecimal"):
        at_hand(tmp_path / "store", session, name or "/")
    assert sorted(tmp_path.rglob("*")) == before


PARENT = """
import asyncio, json, sys
from pathlib import Path
from stratvector.services.market_data.loading import _load
from stratvector.services.market_data.replay_store import ReplayStore
asyncio.run(_load(ReplayStore(Path(sys.argv[1])), 64 * "0", "bars", json.loads(sys.argv[2])))
"""


def test_a_child_ends_with_the_process_that_started_it(session: Session, tmp_path: Path) -> None:
    described = dict(session.histories[session.portfolio.universes[0].name].load or {})
    store = ReplayStore(tmp_path)
    command = [sys.executable, "-c", PARENT, str(tmp_path), json.dumps(described)]
    # Its writer's lock is taken, so that the child has loaded and then waits.
    with store._only_writer(), subprocess.Popen(command) as parent:
        child = child_of(psutil.Process(parent.pid))
        parent.kill()
        psutil.wait_procs([child], timeout=WAIT_SECONDS)
        assert not child.is_running()


def child_of(parent: psutil.Process) -> psutil.Process:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (children := parent.children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return children[0]
