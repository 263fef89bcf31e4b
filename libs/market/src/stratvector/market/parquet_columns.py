"""The columns of a Parquet file that bars need, or one sentence about its bytes."""

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stratvector.market.bar_sources import UnreadableFile

if TYPE_CHECKING:
    import polars as pl


def parquet_names(path: Path) -> list[str]:
    """The names of all columns. Raises UnreadableFile."""
    import polars as pl

    with _refusing(path):
        return list(pl.read_parquet_schema(path))


def read_parquet_columns(path: Path, names: Sequence[str]) -> "pl.DataFrame":
    """All rows of the named columns. Raises UnreadableFile."""
    import polars as pl

    with _refusing(path):
        return pl.read_parquet(
            path, columns=list(dict.fromkeys(names)), glob=False, hive_partitioning=False
        )


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    import polars as pl

    try:
        with _held_stderr():
            yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        # A decoder that trips over damaged bytes panics, which is no Exception in Python, and
        # writes its own stack to the terminal.
        raise UnreadableFile(path, "it is cut short, damaged or something else") from None


_STDERR = 2
_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def _held_stderr() -> Iterator[None]:
    """What the process writes to standard error in here follows at the end, or not at all when the
    block fails: its exception says what happened.

    Python's own hook does not see what compiled threads write, so the descriptor itself is moved.
    """
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as held:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # a process without standard error
            yield
            return
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        except BaseException:
            held.truncate(0)
            raise
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            held.seek(0)
            if text := held.read():
                os.write(_STDERR, text)
