"""manifest: `backup.json`, the list of what is in a backup's folder, written last.

A folder without it is no backup. Its list names every file with its size and SHA-256, so that a
file that is missing, edited or added is told by its name before anything is restored.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stratvector.cli.failures import CommandFailed

FORMAT = 1
LIST = "backup.json"
STREAMS, LEDGER = "streams", "ledger"


class BadBackup(CommandFailed):
    """A folder that is no backup, or not as it was written; the message is one sentence."""


@dataclass(frozen=True)
class StreamCopy:
    """What the server said of a stream when its copy was begun; the copy may hold more."""

    first: int
    last: int
    messages: int


@dataclass(frozen=True)
class LedgerCopy:
    """kind : sqlite or postgresql. revision : of its schema. records : `<run>.<portfolio>` -> its
    newest close, ns UTC. tables : what whoever puts it back must know of each, see `ledger_server`.
    """

    kind: str
    revision: str
    records: Mapping[str, int]
    tables: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class FileFacts:
    """Size, and SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A backup. at : when it was begun, ns UTC. decisions : `<run>.<portfolio>` -> the newest close
    (ns UTC) that was surely decided when it was made, None before the first. folders : which of
    `folders.KINDS` it holds. files : by path in the folder, with slashes.
    """

    product: str
    at: int
    streams: Mapping[str, StreamCopy]
    decisions: Mapping[str, int | None]
    ledger: LedgerCopy | None = None
    folders: tuple[str, ...] = ()
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    format: int = FORMAT


_MANIFEST = TypeAdapter(Manifest)


def stream_file(stream: str) -> str:
    """Where a stream's copy is, in a backup's folder."""
    return f"{STREAMS}/{stream}.tar.s2"


def file_facts(file: Path) -> FileFacts:
    """Of a file as it is. Raises OSError."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return FileFacts(opened.tell(), digest)


def facts_of(folder: Path) -> dict[str, FileFacts]:
    """Of every file below a folder but the list itself. Raises OSError."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    named = {file.relative_to(folder).as_posix(): file for file in files}
    return {name: file_facts(file) for name, file in named.items() if name != LIST}


def encoded(manifest: Manifest) -> bytes:
    """The list as it stands in its file."""
    return json.dumps(asdict(manifest), indent=1, sort_keys=True).encode() + b"\n"


def digest_of(folder: Path) -> str:
    """What names a backup: SHA-256 of its list. Raises OSError."""
    return hashlib.sha256((folder / LIST).read_bytes()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The list of a backup, of this format. Raises BadBackup."""
    file = folder / LIST
    try:
        values = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise BadBackup(f"{folder} is no whole backup: there is no {LIST} in it") from None
    except (OSError, ValueError) as error:
        raise BadBackup(f"{file} can't be read: {error}") from None
    found = values.get("format") if isinstance(values, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise BadBackup(
            f"{folder} has format {found}, which this version does not know (its newest is "
            f"{FORMAT}): run version {values.get('product')} of StratVector or a newer one"
        )
    try:
        return _MANIFEST.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadBackup(f"{file} is no list of a backup: {place}: {first['msg']}") from None


def refuse_changed(folder: Path, manifest: Manifest) -> None:
    """Every file of a backup is there as it was written, and no other one. Raises BadBackup."""
    found = facts_of(folder)
    for name, facts in sorted(manifest.files.items()):
        if name not in found:
            raise BadBackup(f"{folder} is not as it was written: {name} is missing")
        if found[name] != facts:
            raise BadBackup(f"{folder} is not as it was written: {name} is another file")
    if added := sorted(set(found) - set(manifest.files)):
        raise BadBackup(f"{folder} is not as it was written: {added[0]} was added")


def refuse_ledger_ahead(
    records: Mapping[str, int], decisions: Mapping[str, int | None], where: str
) -> None:
    """A ledger follows its log; one that is ahead is another log's. Raises BadBackup."""
    from stratvector.trading.timestamps import utc_text

    for key, newest in sorted(records.items()):
        if key not in decisions:
            continue  # a run that the log tells no more of
        decided = decisions[key]
        if decided is None or newest > decided:
            log = "nothing is decided" if decided is None else f"it is at {utc_text(decided)}"
            raise BadBackup(
                f"{where}: the ledger's record of {key} is at {utc_text(newest)}, but in the log "
                f"{log}; they are not of one platform"
            )
