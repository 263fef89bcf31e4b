import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.market import Bars, BarStore, Loaded, Provenance
from stratvector.market.store import (
    BadUniverseName,
    DamagedFile,
    MixedProvenance,
    NotStored,
    RevisedBar,
)
from stratvector.trading.bars import FIELDS

RAW = Provenance("acme", adjusted=False)
HOUR = 3_600_000_000_000


def loaded(hours: list[int], provenance: Provenance = RAW, symbols: str = "AB") -> Loaded:
    """Bars whose values follow from their time, so that two ranges agree where they overlap."""
    close_times = np.array(hours, dtype=np.int64) * HOUR
    values = np.array([[hour + 1.0 + 100 * n for n in range(len(symbols))] for hour in hours])
    values = values.reshape(len(hours), len(symbols))
    return Loaded(Bars(tuple(symbols), close_times, *(values.copy() for _ in FIELDS)), provenance)


def same(ours: Bars, theirs: Bars) -> None:
    assert ours.symbols == theirs.symbols
    assert ours.close_times.tolist() == theirs.close_times.tolist()
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_what_is_written_is_read_back_with_its_provenance(tmp_path: Path) -> None:
    store = BarStore(tmp_path)
    adjusted = Provenance("acme", adjusted=True, survivors=True, notes=("One row left out.",))
    store.write("crypto", "H4", loaded([0, 4, 8], adjusted))
    assert (tmp_path / "crypto" / "4H" / "A.parquet").is_file()
    found = store.read("crypto", "4H")
    same(found.bars, loaded([0, 4, 8]).bars)
    assert found.provenance == adjusted
    assert store.symbols("crypto", "4H") == ("A", "B")


def test_files_hold_sorted_utc_nanoseconds_that_other_tools_read(tmp_path: Path) -> None:
    BarStore(tmp_path).write("us", "1D", loaded([1, 5, 9]))
    rows = pl.read_parquet(tmp_path / "us" / "1D" / "A.parquet")
    assert rows.columns == ["timestamp", *FIELDS]
    assert rows.schema["timestamp"] == pl.Datetime("ns", "UTC")
    assert rows["timestamp"].is_sorted()


def test_a_missing_bar_has_no_row_and_comes_back_missing(tmp_path: Path) -> None:
    given_bars = loaded([0, 4, 8])
    for name in FIELDS:
        getattr(given_bars.bars, name)[1, 0] = np.nan
    store = BarStore(tmp_path)
    store.write("us", "1D", given_bars)
    assert len(pl.read_parquet(tmp_path / "us" / "1D" / "A.parquet")) == 2
    same(store.read("us", "1D").bars, given_bars.bars)


def test_a_range_and_an_order_of_symbols_can_be_asked_for(tmp_path: Path) -> None:
    store = BarStore(tmp_path)
    store.write("us", "1D", loaded([0, 4, 8, 12]))
    part = store.read("us", "1D", ["B", "A"], start=4 * HOUR, end=8 * HOUR).bars
    assert part.symbols == ("B", "A")
    assert part.close_times.tolist() == [4 * HOUR, 8 * HOUR]
    assert len(store.read("us", "1D", start=5 * HOUR, end=6 * HOUR).bars) == 0


hours = st.sets(st.integers(0, 50), min_size=1, max_size=15).map(sorted)


@given(st.lists(hours, min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_appending_pieces_in_any_order_and_twice_gives_their_union(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[int]]
) -> None:
    store = BarStore(tmp_path_factory.mktemp("store"))
    for piece in [*pieces, *reversed(pieces)]:
        store.append("us", "1D", loaded(piece))
    same(store.read("us", "1D").bars, loaded(sorted(set().union(*pieces))).bars)


def test_a_second_append_leaves_the_same_bytes(tmp_path: Path) -> None:
    store = BarStore(tmp_path)
    store.append("us", "1D", loaded([0, 4]))
    before = (tmp_path / "us" / "1D" / "A.parquet").read_bytes()
    store.append("us", "1D", loaded([0, 4]))
    assert (tmp_path / "us" / "1D" / "A.parquet").read_bytes() == before


def test_a_stored_bar_changes_only_when_the_revision_is_asked_for(tmp_path: Path) -> None:
    store = BarStore(tmp_path)
    store.append("us", "1D", loaded([0, 4], symbols="A"))
    corrected = loaded([4, 8], symbols="A")
    corrected.bars.volume[0, 0] = 77.0
    with pytest.raises(RevisedBar, match=r"volume is stored as 5\.0 and would become 77") as error:
        store.append("us", "1D", corrected)
    assert (error.value.symbol, error.value.close_time) == ("A", 4 * HOUR)
    assert store.read("us", "1D").bars.close_times.tolist() == [0, 4 * HOUR]
    store.append("us", "1D", corrected, revise=True)
    assert store.read("us", "1D").bars.volume[:, 0].tolist() == [1.0, 77.0, 9.0]


def test_adjusted_prices_are_never_joined_to_raw_ones(tmp_path: Path) -> None:
    store = BarStore(tmp_path)
    store.append("us", "1D", loaded([0]))
    with pytest.raises(MixedProvenance, match=r"acme \(raw prices\) and cannot be joined with"):
        store.append("us", "1D", loaded([4], Provenance("acme", adjusted=True)))


def test_a_symbol_may_hold_characters_that_a_file_name_must_not(tmp_path: Path) -> None:
    store = BarStore(tmp_path)
    pair = loaded([0], symbols="A")
    renamed = Bars(
        ("BTC/../USDT",), pair.bars.close_times, *(getattr(pair.bars, n) for n in FIELDS)
    )
    store.write("crypto", "1D", Loaded(renamed, RAW))
    assert [path.parent for path in tmp_path.rglob("*.parquet")] == [tmp_path / "crypto" / "1D"]
    assert store.read("crypto", "1D").bars.symbols == ("BTC/../USDT",)


def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    store = BarStore(tmp_path)
    with pytest.raises(NotStored, match="the store has no bars of any symbol in"):
        store.read("us", "1D")
    store.write("us", "1D", loaded([0], symbols="A"))
    with pytest.raises(NotStored, match="the store has no bars of C, D in") as error:
        store.read("us", "1D", ["A", "C", "D"])
    assert error.value.symbols == ("C", "D")
    with pytest.raises(BadUniverseName, match=r"universe '\.\./us' makes no folder"):
        store.read("../us", "1D")
    path = tmp_path / "us" / "1D" / "A.parquet"
    pl.read_parquet(path).write_parquet(path)
    with pytest.raises(DamagedFile, match="it does not tell its source"):
        store.read("us", "1D")
    path.write_bytes(b"torn")
    with pytest.raises(DamagedFile, match="is not a file of the store"):
        store.read("us", "1D")


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BarStore(tmp_path)
    store.write("us", "1D", loaded([0], symbols="A"))

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        store.write("us", "1D", loaded([0, 4], symbols="A"))
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "us" / "1D").iterdir()] == ["A.parquet"]
    assert len(store.read("us", "1D").bars) == 1


ENDLESS_WRITER = """
import sys
from pathlib import Path
import numpy as np
from stratvector.market import Bars, BarStore, Loaded, Provenance

store, stop = BarStore(Path(sys.argv[1])), 1
while True:
    times = np.arange(stop, dtype=np.int64) + 10**18
    values = np.full((stop, 1), float(stop))
    bars = Bars(("A",), times, *(values.copy() for _ in range(5)))
    store.write("us", "1D", Loaded(bars, Provenance("acme", adjusted=False)))
    stop += 50
    print(stop, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    moments = random.Random(5)
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", ENDLESS_WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.05))
        writer.kill()
        writer.communicate()
        bars = BarStore(tmp_path).read("us", "1D").bars
        assert set(bars.close[:, 0].tolist()) == {float(len(bars))}
