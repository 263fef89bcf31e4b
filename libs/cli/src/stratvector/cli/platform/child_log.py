"""child_log: what a child prints, as JSON lines of logs/<child>.log, rotated."""

import json
from collections import deque
from datetime import UTC, datetime
from logging import LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path

from stratvector.cli.logs import FOLDER, KEPT, SIZE_BYTES_MAX

REMEMBERED = 20
ERRORS = ("error", "critical")


class ChildLog:
    """The log of one child, over all its starts. Raises OSError where it can't be written."""

    def __init__(self, child: str, folder: Path = FOLDER, size_bytes_max: int = SIZE_BYTES_MAX):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{child}.log"
        self._child = child
        self._last: deque[str] = deque(maxlen=REMEMBERED)
        self._handler = RotatingFileHandler(
            self.path, maxBytes=size_bytes_max, backupCount=KEPT, encoding="utf-8", delay=True
        )

    @property
    def last_words(self) -> str:
        """The newest line since `forget` that says anything, of those that tell of an error if any
        does: a service's log goes on after it. Empty when there is none.
        """
        return self.last_error or next(filter(None, map(_words, reversed(self._last))), "")

    @property
    def last_error(self) -> str:
        """The newest of these lines that tells of an error; empty when none does."""
        return next(filter(None, map(_words, filter(_tells_error, reversed(self._last)))), "")

    def forget(self) -> None:
        """A new start: what was said before is no longer its last words."""
        self._last.clear()

    def write(self, line: bytes) -> None:
        """One line as it was printed; a line that is no JSON document becomes one."""
        text = line.decode("utf-8", errors="replace").rstrip()
        if not text:
            return
        self._last.append(text)
        if not _is_document(text):
            said_at = datetime.now(UTC).isoformat(timespec="milliseconds")
            text = json.dumps({"logged_at": said_at, "child": self._child, "text": text})
        self._handler.emit(LogRecord(self._child, 20, "", 0, text, None, None))

    def close(self) -> None:
        """Nothing more will come."""
        self._handler.close()


def _is_document(text: str) -> bool:
    return isinstance(_parsed(text), dict)


def _tells_error(line: str) -> bool:
    """A JSON line of such a level, or one that was written for people."""
    document = _parsed(line)
    return not isinstance(document, dict) or document.get("level") in ERRORS


def _words(line: str) -> str:
    """A JSON line's event and its reason, or the line itself."""
    document = _parsed(line)
    if not isinstance(document, dict):
        return line.strip()
    return ": ".join(str(document[key]) for key in ("event", "reason") if key in document) or line


def _parsed(line: str) -> object:
    """A line's JSON, None when it is none; one that is nested without end is none either."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
