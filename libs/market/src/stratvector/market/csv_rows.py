"""The rows of a CSV file as text, whatever its dialect, or one sentence about its bytes.

Polars reads the file when its quotes are simple enough for every reader to agree on them, which is
nearly always; Python's own reader takes the rest, and counts the rows that have too many fields.
"""

import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stratvector.market.bar_sources import UnreadableFile, suffix_of
from stratvector.trading.bad_bars import EmptyBars

if TYPE_CHECKING:
    import polars as pl

_HEADER_CHARACTERS_MAX = 1 << 20
SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, eq=False)
class TextRows:
    """A file's cells. header : its names as they stand.  frame : String columns by position, null
    where a cell is empty; blank lines are left out.
    numbers : each row's number, int64[n]; the first line of the file is 1.
    fields : how many fields each row has, where more than the header (0 elsewhere), int64[n].
    """

    header: tuple[str, ...]
    frame: "pl.DataFrame"
    numbers: npt.NDArray[np.int64]
    fields: npt.NDArray[np.int64]


def read_csv_rows(path: Path) -> TextRows:
    """All rows of a .csv or .csv.gz file. Raises UnreadableFile and EmptyBars."""
    text = _text(path, _bytes(path))
    lines_before = len(text) - len(text.lstrip("\n"))
    text = text[lines_before:]
    if not text.strip():
        raise EmptyBars
    separator, header = _header(path, text)
    frame = _simple_rows(text, separator, len(header))
    fields = np.zeros(0 if frame is None else len(frame), dtype=np.int64)
    if frame is None:
        frame, fields = _quoted_rows(path, text, separator, len(header))
    numbers = np.arange(len(frame), dtype=np.int64) + 2 + lines_before
    kept = ~_is_blank(frame) | (fields > 0)
    return TextRows(tuple(header), frame.filter(kept), numbers[kept], fields[kept])


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if suffix_of(path) == ".csv.gz" else data
    except gzip.BadGzipFile:
        raise UnreadableFile(path, "it is not compressed with gzip") from None
    except (EOFError, zlib.error):
        raise UnreadableFile(path, "it is cut short or damaged") from None
    except OSError as error:
        reason = (error.strerror or "it cannot be opened").lower()
        raise UnreadableFile(path, reason) from None


def _text(path: Path, data: bytes) -> str:
    """UTF-8, or UTF-16 with its mark; line ends become one line feed each."""
    is_utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(
            path, f"row {row} holds bytes that are not UTF-8: save it as UTF-8"
        ) from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise UnreadableFile(path, f"row {row} holds a NUL byte, so it is no text")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def _header(path: Path, text: str) -> tuple[str, list[str]]:
    """The separator that gives the first row the most fields, and that row."""
    found, head = [], text[:_HEADER_CHARACTERS_MAX]
    for separator in SEPARATORS:
        try:
            header = next(csv.reader(io.StringIO(head), delimiter=separator))
        except csv.Error:
            raise UnreadableFile(path, "its first row is no header") from None
        found.append((separator, header))
    return max(found, key=lambda one: len(one[1]))


def _simple_rows(text: str, separator: str, width: int) -> "pl.DataFrame | None":
    """The rows as polars reads them; None where quotes or fields need a closer look."""
    import polars as pl

    if '"' in text:
        edge = re.escape(separator)
        quoted = re.compile(f'(?:^|(?<={edge}))"[^"\\n]*"(?={edge}|$)', re.MULTILINE)
        if '"' in quoted.sub("", text):
            return None
    try:
        frame = pl.read_csv(text.encode(), separator=separator, infer_schema=False, glob=False)
    except pl.exceptions.PolarsError:
        return None
    if frame.width != width:
        return None
    frame.columns = [str(at) for at in range(width)]
    return frame


def _quoted_rows(
    path: Path, text: str, separator: str, width: int
) -> "tuple[pl.DataFrame, npt.NDArray[np.int64]]":
    """The rows as Python's reader reads them, and how many fields the too long ones have."""
    import polars as pl

    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    try:
        next(reader)
        rows.extend(reader)
    except csv.Error:
        raise UnreadableFile(
            path, f"the quotes of row {len(rows) + 2} do not enclose whole fields"
        ) from None
    fields = np.array([len(row) if len(row) > width else 0 for row in rows], dtype=np.int64)
    cells = {
        str(at): [row[at] or None if at < len(row) else None for row in rows] for at in range(width)
    }
    return pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String)), fields


def _is_blank(frame: "pl.DataFrame") -> npt.NDArray[np.bool_]:
    import polars as pl

    return frame.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
