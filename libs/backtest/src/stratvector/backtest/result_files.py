"""A result on disk: result.json and three Parquet files, all there or none.

They are written into a draft folder that is renamed when it is whole. Nothing in them depends on
the clock or the machine's paths: a second run of the same inputs gives the same bytes.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
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

    provenance : caveats, hashes and configuration, as they are.
    """
    entries = result.entries
    return {
        "portfolio": result.session.portfolio.name,
        "first_close": utc_text(entries[0].close_time),
        "last_close": utc_text(entries[-1].close_time),
        "close_times": len(entries),
        "bars": result.bars,
        "signals": result.signals,
        "orders": len(result.orders),
        "fills": len(result.fills),
        "working_at_end": result.working_at_end,
        "rejections": result.rejections,
        "initial_equity": float(result.session.portfolio.initial_cash),
        "final_equity": result.final_equity,
        "metrics": as_json(result.metrics),
        "models": {
            m.name: {"profit": m.profit, "commission": m.commission, "fills": m.fills}
            for m in result.models
        },
        **provenance,
    }


def write_result(root: Path, name: str, result: Result, provenance: Mapping[str, Any]) -> Path:
    """Write a result to root/<name>-<n>, n the first free number from 1; the folder.

    Raises OSError.
    """
    root.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=root))
    try:
        draft.chmod(0o755)
        text = json.dumps(document(result, provenance), indent=2, allow_nan=False)
        (draft / RESULT).write_text(text + "\n", encoding="utf-8")
        for table in TABLES:
            getattr(result, table).write_parquet(draft / f"{table}.parquet")
        return _renamed(draft, root, name)
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
