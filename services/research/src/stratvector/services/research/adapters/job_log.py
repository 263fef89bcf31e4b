"""job_log: what a job's process says: kept up to a size, read for its progress, its last words."""

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

LOG_BYTES_MAX = 1_000_000
CUT = b"(the rest was left out: the log is full)\n"
COMPLAINT = "stratvector: "
Report = Callable[[str, float], None]


class JobLog:
    """The log of one run; a context, in which lines are added. Opening it raises OSError.

    report : takes phase and share of the closes done. last_words : the newest line that is no
    progress, without the command's name; empty when there is none.
    """

    def __init__(self, path: Path, report: Report, bytes_max: int = LOG_BYTES_MAX) -> None:
        self._file = path.open("wb", buffering=0)
        self._report = report
        self._bytes_left = bytes_max
        self.last_words = ""

    def __enter__(self) -> "JobLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, line: bytes) -> None:
        """One line as it was said."""
        self._keep(line)
        text = line.decode("utf-8", errors="replace").strip()
        told = progress_of(text)
        if told is not None:
            self._report(*told)
        elif text:
            self.last_words = text.removeprefix(COMPLAINT)

    def _keep(self, line: bytes) -> None:
        if self._bytes_left <= 0:
            return
        fits = len(line) <= self._bytes_left
        self._bytes_left = self._bytes_left - len(line) if fits else 0
        try:
            self._file.write(line if fits else CUT)
        except OSError:
            # A full disk ends the log, not the reading: the process must not wait for its pipe.
            self._bytes_left = 0


def progress_of(text: str) -> tuple[str, float] | None:
    """Phase and share of the closes done, from a line of `--progress json`; None for others."""
    if not text.startswith("{"):
        return None
    try:
        line = json.loads(text)
        closes_done, closes = int(line.get("closes_done", 0)), int(line.get("closes", 0))
        date = f" {line['date']}" if line.get("date") else ""
        return f"{line['phase']}{date}", closes_done / closes if closes else 0.0
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
