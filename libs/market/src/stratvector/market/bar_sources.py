"""The files that a path stands for: one file, a folder of files, or one per symbol.

BadBars (stratvector.trading.bad_bars)
└── BadFile              a file that cannot be read; `path` says which
    ├── FileMissing          there is no such file
    ├── UnknownFormat        the name ends neither in .csv, .csv.gz nor .parquet
    ├── UnreadableFile       its bytes are not what its name promises
    └── UnfitFile            its columns are not those of bars
"""

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stratvector.trading.bad_bars import BadBars

PLACEHOLDER = "{symbol}"
SUFFIXES = (".csv", ".csv.gz", ".parquet")


class BadFile(BadBars):
    """A file that cannot be read; `path` says which."""

    def __init__(self, path: Path, sentence: str) -> None:
        self.path = path
        super().__init__(f"{path}: {sentence}")


class FileMissing(BadFile):
    """There is no such file."""

    def __init__(self, path: Path, sentence: str = "there is no such file") -> None:
        super().__init__(path, sentence)


class UnknownFormat(BadFile):
    """The name ends neither in .csv, .csv.gz nor .parquet."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "bars are read from .csv, .csv.gz and .parquet files only")


class UnreadableFile(BadFile):
    """Its bytes are not what its name promises."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(path, f"this is not a readable {suffix_of(path)[1:]} file: {reason}")


class UnfitFile(BadFile):
    """Its columns are not those of bars; `cause` is the kind of BadBars that says why."""

    def __init__(self, path: Path, cause: BadBars) -> None:
        self.cause = cause
        super().__init__(path, str(cause))


@dataclass(frozen=True)
class BarSource:
    """One file. name : the symbol that its name holds, where files are named by symbol.

    is_symbol_certain : whether the path's pattern says so, and not only a folder's habit.
    """

    path: Path
    name: str | None = None
    is_symbol_certain: bool = False


def suffix_of(path: Path) -> str:
    """The suffix that says how to read a file, lower case; "" for any other."""
    lowered = path.name.lower()
    return next((suffix for suffix in SUFFIXES if lowered.endswith(suffix)), "")


def sources_of(path: str | Path, wanted: Sequence[str] | None = None) -> list[BarSource]:
    """The files of a path, a folder or a pattern with `{symbol}`, in the order of their names.

    wanted : the symbols of a pattern, instead of all that there are files of. A folder's other
    files (and hidden ones) are not read. Raises FileMissing and UnknownFormat.
    """
    if PLACEHOLDER in str(path):
        found = _by_pattern(Path(path))
        return found if wanted is None else _chosen(str(path), found, wanted)
    source = Path(path)
    if not str(path).strip():
        raise FileMissing(source, "the path is empty")
    try:
        exists, is_file, is_folder = source.exists(), source.is_file(), source.is_dir()
    except (OSError, ValueError):
        raise FileMissing(source, "no file can have this name") from None
    if is_folder:
        return _in_folder(source)
    if source.suffix and not suffix_of(source):
        raise UnknownFormat(source)
    if not exists:
        braced = re.search(r"\{\w*\}", str(source))
        hint = f"; did you mean {PLACEHOLDER} by {braced[0]}?" if braced else ""
        raise FileMissing(source, f"there is no such file{hint}")
    if not suffix_of(source):
        raise UnknownFormat(source)
    if not is_file:
        raise FileMissing(source, "this is neither a file nor a folder")
    return [BarSource(source)]


def _in_folder(folder: Path) -> list[BarSource]:
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise FileMissing(folder, f"the folder cannot be listed: {_reason(error)}") from None
    sources = [
        BarSource(one, one.name[: -len(suffix_of(one))])
        for one in found
        if suffix_of(one) and not one.name.startswith(".") and one.is_file()
    ]
    if not sources:
        raise FileMissing(folder, f"the folder holds no {', '.join(SUFFIXES)} file")
    return sources


def _by_pattern(pattern: Path) -> list[BarSource]:
    text = str(pattern)
    if text.count(PLACEHOLDER) > 1:
        raise FileMissing(pattern, f"{PLACEHOLDER} may stand in the path once")
    if not suffix_of(pattern):
        raise UnknownFormat(pattern)
    before, after = text.removeprefix(pattern.anchor).split(PLACEHOLDER)
    root = Path(pattern.anchor or ".")
    found = sorted(root.glob(f"{glob.escape(before)}*{glob.escape(after)}"))
    shape = re.compile(f"{re.escape(pattern.anchor + before)}([^/]+){re.escape(after)}")
    matches = [(one, shape.fullmatch(str(one))) for one in found]
    sources = [BarSource(one, match[1], True) for one, match in matches if match and one.is_file()]
    if not sources:
        raise FileMissing(pattern, "no file has a name of this pattern")
    return sources


def _chosen(pattern: str, found: list[BarSource], wanted: Sequence[str]) -> list[BarSource]:
    by_name = {source.name: source for source in found}
    for name in wanted:
        if name not in by_name:
            raise FileMissing(Path(pattern.replace(PLACEHOLDER, name)))
    return [by_name[name] for name in wanted]


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
