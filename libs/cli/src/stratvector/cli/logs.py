"""Local logs: JSON lines in logs/<name>.log, rotated, each with the wall time of writing.

They lie where the results do: `logs` beside a folder that is called `results`, as the usual one is,
and inside any other that `--out` names.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from logging import LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

RESULTS = Path("results")
FOLDER = Path("logs")
SIZE_BYTES_MAX = 10_000_000
KEPT = 5


def logs_of(out: Path) -> Path:
    """The folder of the logs that belong to results in `out`."""
    if out.resolve().name != RESULTS.name:
        return out / FOLDER
    return out.parent / FOLDER if out.name == RESULTS.name else out.resolve().parent / FOLDER


def append(name: str, lines: Iterable[Mapping[str, Any]], folder: Path = FOLDER) -> Path:
    """Add lines, each with the time of writing as `logged_at`; the file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.log"
    logged_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    handler = RotatingFileHandler(path, maxBytes=SIZE_BYTES_MAX, backupCount=KEPT, encoding="utf-8")
    try:
        for line in lines:
            text = json.dumps({"logged_at": logged_at, **line}, default=str)
            handler.emit(LogRecord(name, 20, "", 0, text, None, None))
    finally:
        handler.close()
    return path
