"""Results on disk: whole or not at all, and the same bytes for the same run."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from stratvector.backtest import (
    Backtest,
    Result,
    document,
    new_folder,
    write_result,
    write_result_into,
)
from stratvector.trading.bars import Bars
from stratvector.trading.strategy import Strategy

DAY_NS = 86_400_000_000_000


class Alternating(Strategy):
    """All in, then all out, by turns."""

    name = "alternating"

    @property
    def history(self) -> int:
        """One close."""
        return 1

    def features(self, bars: Bars) -> NDArray[np.float64]:
        """1 at every other close."""
        turn = (bars.close_times // DAY_NS % 2).astype(np.float64)
        return np.broadcast_to(turn[:, None, None], (*bars.close.shape, 1)).copy()


@pytest.fixture
def result() -> Result:
    times = np.arange(18_000, 18_010, dtype=np.int64) * DAY_NS
    close = np.linspace(100.0, 109.0, 10)[:, None].copy()
    bars = Bars(("A",), times, close, close, close, close, np.full((10, 1), 1e6))
    return Backtest(bars, Alternating()).run()


def test_a_result_is_four_files_in_a_numbered_folder(result: Result, tmp_path: Path) -> None:
    folder = write_result(tmp_path, "name", result, {})
    assert folder == tmp_path / "name-1"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["equity.parquet", "fills.parquet", "orders.parquet", "result.json"]
    assert pl.read_parquet(folder / "fills.parquet").equals(result.tables["fills"])
    assert pl.read_parquet(folder / "orders.parquet").equals(result.tables["orders"])
    assert pl.read_parquet(folder / "equity.parquet").equals(result.equity)


def test_the_same_result_gives_the_same_bytes_beside_the_first(
    result: Result, tmp_path: Path
) -> None:
    first = write_result(tmp_path, "name", result, {})
    again = Result.of_ledger(result.session, result.entries, result.bars, result.signals)
    second = write_result(tmp_path, "name", again, {})
    assert second == tmp_path / "name-2"
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_a_failure_while_writing_leaves_nothing(result: Result, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_result(tmp_path, "name", result, {"seconds": math.inf})
    assert list(tmp_path.iterdir()) == []


def test_a_runs_own_folder_gets_the_same_bytes(result: Result, tmp_path: Path) -> None:
    first = write_result(tmp_path, "name", result, {})
    second = new_folder(tmp_path, "name", lambda draft: (draft / "session").mkdir())
    assert second == tmp_path / "name-2"
    assert write_result(tmp_path, "name", result, {}) == tmp_path / "name-3"
    for _ in range(2):  # a run that was continued after its end writes it again
        write_result_into(second, result, {})
        names = sorted(path.name for path in second.iterdir() if path.is_file())
        assert names == sorted(path.name for path in first.iterdir())
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_a_failure_while_writing_leaves_a_runs_own_folder_as_it_was(
    result: Result, tmp_path: Path
) -> None:
    folder = new_folder(tmp_path, "name", lambda draft: (draft / "session").mkdir())
    with pytest.raises(ValueError, match="JSON compliant"):
        write_result_into(folder, result, {"seconds": math.inf})
    assert [path.name for path in folder.iterdir()] == ["session"]


def test_a_folder_has_its_name_once_it_is_whole_and_never_before(tmp_path: Path) -> None:
    def fill(draft: Path) -> None:
        (draft / "first").touch()
        assert list(tmp_path.glob("[!.]*")) == []
        (draft / "second").touch()

    folder = new_folder(tmp_path, "name", fill)
    assert folder == tmp_path / "name-1"
    assert sorted(path.name for path in folder.iterdir()) == ["first", "second"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_draft_that_a_killed_process_left_takes_no_number(tmp_path: Path) -> None:
    (tmp_path / ".draft-killed").mkdir()
    assert new_folder(tmp_path, "name", Path.touch) == tmp_path / "name-1"


def test_the_document_counts_what_the_tables_hold(result: Result) -> None:
    told = document(result, {"sources": {"bars": "one"}})
    assert told["close_times"] == told["bars"] == told["signals"] == 10
    assert told["orders"] == len(result.orders)
    assert told["fills"] == len(result.fills)
    assert told["final_equity"] == result.final_equity
    assert told["models"]["alternating"]["profit"] == pytest.approx(result.final_equity - 100_000)
    # whole prices, a fill above the decision's price, ten days
    codes = ["cash_below_zero", "too_short_to_annualise"]
    assert [caveat["code"] for caveat in told["caveats"]] == ["coarse_price_grid", *codes]
    assert told["sources"] == {"bars": "one"}
    assert told["metrics"]["alpha"] is None
    json.dumps(told, allow_nan=False)


def test_the_last_order_is_told_as_working(result: Result) -> None:
    statuses = result.orders["status"].to_list()
    assert set(statuses[:-1]) == {"filled"}
    assert statuses[-1] == "working"
    assert result.orders["expires_at"].to_list()[-1] is None


def test_times_are_utc_nanoseconds(result: Result) -> None:
    assert result.fills.schema["fill_time"] == pl.Datetime("ns", "UTC")
    assert result.equity["close_time"].dt.epoch("ns").to_list() == [
        entry.close_time for entry in result.entries
    ]
