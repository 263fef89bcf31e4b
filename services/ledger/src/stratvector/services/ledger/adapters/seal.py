"""The seal of a database file that nobody writes any more: its SHA-256, in a file beside it.

Payloads and rows prove each other, but a file has bytes that no row depends on. The last writer
seals the file when it leaves, the next one breaks the seal before it writes.
"""

import hashlib
import json
from pathlib import Path


class FileSeal:
    """The seal of one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.path = file.with_name(f"{file.name}.seal")

    def apply(self) -> None:
        """Seal the file as it is now; not while another process has it open. Raises OSError."""
        if self._is_open():
            return
        draft = self.path.with_name(f".{self.path.name}.draft")
        draft.write_text(json.dumps(self._facts()) + "\n", encoding="utf-8")
        draft.replace(self.path)

    def remove(self) -> None:
        """Somebody writes from now on. Raises OSError."""
        self.path.unlink(missing_ok=True)

    def exists(self) -> bool:
        """Whether the file is sealed."""
        return self.path.is_file()

    def broken(self) -> str:
        """What is wrong with the seal, as the end of a sentence; empty for nothing, or no seal."""
        if not self.exists():
            return ""
        try:
            sealed = json.loads(self.path.read_text(encoding="utf-8"))
            facts = self._facts()
        except FileNotFoundError:
            return ""  # somebody has begun to write since
        except (OSError, ValueError) as error:
            return f"its seal can't be read: {error}"
        if self._is_open():
            return "it is sealed, but somebody wrote after that"
        if sealed != facts:
            return "it is not the file that was sealed: its SHA-256 is another"
        return ""

    def _facts(self) -> dict[str, object]:
        with self._file.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return {"sha256": digest, "bytes": file.tell()}

    def _is_open(self) -> bool:
        """SQLite keeps its log beside the file as long as somebody has it open for writing."""
        log = self._file.with_name(f"{self._file.name}-wal")
        return log.is_file() and log.stat().st_size > 0
