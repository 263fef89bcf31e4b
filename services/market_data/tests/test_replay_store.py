"""What market_data keeps of a replay's bars is what was put there, or it says that it is not."""

import random
import shutil
import signal
import subprocess
import sys
import tracemalloc
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sessions import synthetic_session
from stratvector.contracts.codecs import encode_closed_bars
from stratvector.services.market_data.replay_store import BadPanel, ReplayStore
from stratvector.trading.bars import Bars
from stratvector.trading.chapters import hash_of_bars
from stratvector.trading.instruments import Instrument
from stratvector.trading.portfolio import Universe
from stratvector.trading.session import Session
from tests.sessions.generated_sessions import Shape, generated_session

SESSION = generated_session(4, Shape(universes=1, closes=12))
UNIVERSE = SESSION.portfolio.universes[0]
HISTORY = SESSION.histories[UNIVERSE.name]


def put(folder: Path, session: Session) -> list[str]:
    store = ReplayStore(folder)
    return [store.put(one.bars, one.open_times) for one in session.histories.values()]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_what_is_put_there_is_read_back_to_the_bit(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    session, folder = generated_session(seed, Shape(closes=6)), tmp_path_factory.mktemp("store")
    for hash, universe in zip(put(folder, session), session.portfolio.universes, strict=True):
        history = session.histories[universe.name]
        assert hash == hash_of_bars(history.bars, history.open_times)
        panel = ReplayStore(folder).open(hash, universe)
        assert np.array_equal(panel.close_times, history.bars.close_times)
        middle = int(history.bars.close_times[len(history.bars) // 2])
        for after in (-1, middle):
            pairs = zip(panel.sections(after), session.sections(universe.name, after), strict=True)
            assert all(encode_closed_bars(a) == encode_closed_bars(b) for a, b in pairs)


def refusal_of(store: ReplayStore, hash: str) -> str:
    try:
        store.open(hash, UNIVERSE)
    except BadPanel as error:
        return str(error)
    return ""


def test_the_same_panel_is_put_there_once_and_another_beside_it(tmp_path: Path) -> None:
    (first,) = put(tmp_path, SESSION)
    assert put(tmp_path, SESSION) == [first]
    put(tmp_path, generated_session(5, Shape(universes=1, closes=12)))
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_every_edit_of_a_file_is_found_or_means_the_same(tmp_path: Path) -> None:
    store, dice = ReplayStore(tmp_path), random.Random(3)
    (hash,) = put(tmp_path, SESSION)
    files = sorted((tmp_path / hash).iterdir())
    written = {file: file.read_bytes() for file in files}
    told = [encode_closed_bars(one) for one in store.open(hash, UNIVERSE).sections(-1)]
    found = 0
    for _ in range(200):
        file = dice.choice(files)
        content = bytearray(written[file])
        at = dice.randrange(len(content))
        if dice.random() < 0.2:
            del content[at:]
        else:
            content[at] ^= 1 << dice.randrange(8)
        file.write_bytes(bytes(content))
        refusal = refusal_of(store, hash)
        assert "\n" not in refusal
        found += bool(refusal)
        if not refusal:
            read = store.open(hash, UNIVERSE).sections(-1)
            assert [encode_closed_bars(one) for one in read] == told
        file.write_bytes(written[file])
    assert found > 150


def test_a_panel_under_anothers_hash_is_not_taken_for_it(tmp_path: Path) -> None:
    (first,) = put(tmp_path, SESSION)
    other = generated_session(4, Shape(universes=1, closes=13))
    (second,) = put(tmp_path, other)
    shutil.rmtree(tmp_path / first)
    (tmp_path / second).rename(tmp_path / first)
    with pytest.raises(BadPanel, match="the bars are not those that were put there"):
        ReplayStore(tmp_path).open(first, UNIVERSE)


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from stratvector.services.market_data.replay_store import ReplayStore
from stratvector.trading.bars import Bars
store, left = ReplayStore(Path(sys.argv[1])), int(sys.argv[2])
def sync(descriptor):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
os.fsync = sync
times = np.arange(1, 301)
store.put(Bars(("A",), times, *5 * [np.ones((300, 1))]), times - 1)
"""
SYNCS = ("times", "values", "their folder", "the store, after the panel was named")


@pytest.mark.parametrize("step", range(1, len(SYNCS) + 1), ids=SYNCS)
def test_a_writer_that_is_killed_leaves_the_panel_whole_or_none(step: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(step)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    times = np.arange(1, 301)
    bars = Bars(("A",), times, *5 * [np.ones((300, 1))])
    store, hash = ReplayStore(tmp_path), hash_of_bars(bars, times - 1)
    assert store.has(hash) == (step == len(SYNCS))
    # The next writer clears away what the killed one left.
    assert store.put(bars, times - 1) == hash
    one = Universe("one", "1D", "24/7", (Instrument("A", "A", "crypto", 2, Decimal(1)),))
    assert store.open(hash, one).hash == hash
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", hash]


def test_a_long_panel_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    def peak_bytes(closes: int) -> int:
        session = synthetic_session(closes=closes)
        universe = session.portfolio.universes[0]
        hash = put(tmp_path / str(closes), session)[0]
        panel = ReplayStore(tmp_path / str(closes)).open(hash, universe)
        tracemalloc.start()
        for _ in panel.sections(-1):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(20_000) <= 1.2 * peak_bytes(2_000)
