"""A result on disk: result.json and three Parquet files, all there or none.

They are written into a draft folder that is renamed when it is whole; what a killed process leaves
of one is hidden and stands in nobody's way. Nothing in them depends on the clock or the machine's
paths: a second run of the same inputs gives the same bytes.
"""

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from stratvector.backtest.metrics import as_json
from stratvector.backtest.result import Result
from stratvector.trading.timestamps import utc_text

RESULT = "result.json"
TABLES = ("orders", "fills", "equity")


def document(result: Result, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The result as JSON values: counts, metrics (undefined is null), models and provenance.

    provenance : hashes, sources and configuration, as they are.
    """
    return {
        "portfolio": result.session.portfolio.name,
        "first_close": utc_text(result.first_close),
        "last_close": utc_text(result.last_close),
        "close_times": result.closes,
        "bars": result.bars,
        "signals": result.signals,
        "orders": len(result.record.orders.lots),
        "fills": len(result.record.fills.lots),
        "working_at_end": result.working_at_end,
        "rejections": result.rejections,
        "initial_equity": float(result.session.portfolio.initial_cash),
        "final_equity": result.final_equity,
        "halted_since": None if result.halted_since is None else utc_text(result.halted_since),
        "halts": [halt.document() for halt in result.halts],
        "benchmark": _benchmark(result),
        "risk_free_rate": result.session.risk_free_rate,
        "caveats": [caveat.document() for caveat in result.caveats],
        "metrics": as_json(result.metrics),
        "models": {
            m.name: {"profit": m.profit, "commission": m.commission, "fills": m.fills}
            for m in result.models
        },
        **provenance,
    }


def _benchmark(result: Result) -> dict[str, Any] | None:
    if result.benchmark is None:
        return None
    gained = result.benchmark_return
    known = gained if math.isfinite(gained) else None
    return {"name": result.benchmark.name, "total_return": known}


def write_result(root: Path, name: str, result: Result, provenance: Mapping[str, Any]) -> Path:
    """Write a result to root/<name>-<n>, n the first free number from 1; the folder.

    Raises OSError.
    """
    return new_folder(root, name, lambda draft: _fill(draft, result, provenance))


def new_folder(root: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """Make root/<name>-<n>, n the first free number from 1, whole or not at all; the folder.

    fill : writes what belongs there into a draft. Raises OSError and what fill raises.
    """
    root.mkdir(parents=True, exist_ok=True)
    with _drafted(root) as draft:
        fill(draft)
        return _renamed(draft, root, name)


def write_result_into(folder: Path, result: Result, provenance: Mapping[str, Any]) -> None:
    """Write a result to a run's folder; result.json comes last, and says that it is whole.

    Raises OSError.
    """
    with _drafted(folder) as draft:
        _fill(draft, result, provenance)
        for name in (*(f"{table}.parquet" for table in TABLES), RESULT):
            (draft / name).replace(folder / name)
        draft.rmdir()


def _fill(folder: Path, result: Result, provenance: Mapping[str, Any]) -> None:
    text = json.dumps(document(result, provenance), indent=2, allow_nan=False)
    (folder / RESULT).write_text(text + "\n", encoding="utf-8")
    for name, table in result.tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    for file in folder.iterdir():
        file.chmod(0o640)  # a portfolio's results are for its user and group


@contextmanager
def _drafted(root: Path) -> Iterator[Path]:
    """An empty folder in root, removed if the block raises."""
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=root))
    try:
        draft.chmod(0o750)
        yield draft
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _renamed(draft: Path, root: Path, name: str) -> Path:
    """Rename to the first free number; two runs at once never share one."""
    for number in count(1):
        folder = root / f"{name}-{number}"
        if not folder.exists():
            try:
                return draft.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
    raise AssertionError("unreachable: numbers do not end")
