"""archive: the closed chapters of a portfolio as files, each a part of the log as it was stored.

    FOLDER/archive.json         whose log, and of each file: chapter, SHA-256, how far its lanes go
    FOLDER/chapter-00001.gz     a JSON line per message, of every lane that the portfolio reads

All files together are the log from its first message to the opening of a chapter. A file is
synced and gets its name when it is whole, and the list names it after that; so whoever is killed
goes on with the chapter that the list lacks.
"""

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from stratvector.contracts.codecs.typed_json import BadText, decode_typed, encode_typed
from stratvector.runtime.ports import Kind, Message, Stored
from stratvector.runtime.process.cannot_start import CannotStart

LIST = "archive.json"
COMPRESSION_LEVEL = 6


class BadArchive(CannotStart):
    """A folder that is no archive of what is asked; the message is one sentence."""


@dataclass(frozen=True)
class ArchivedChapter:
    """One file. until : the last close of the chapter, ns UTC. read : subject -> the last message
    of it that is in this file or one before.
    """

    number: int
    file: str
    sha256: str
    messages: int
    until: int
    read: dict[str, int]


@dataclass(frozen=True)
class ChapterPart:
    """A closed chapter's messages, lane by lane, from where the part before ends to the opening of
    the next one. until, read : see `ArchivedChapter`.
    """

    number: int
    until: int
    read: dict[str, int]
    messages: tuple[Stored, ...]


@dataclass(frozen=True)
class ArchiveList:
    """What an archive holds. log : the id of the log's first chapter. proven : how many of the
    chapters parity has found equal, from the first one on; closes : how many closes they have.
    """

    run: str
    portfolio: str
    log: str
    chapters: tuple[ArchivedChapter, ...] = ()
    proven: int = 0
    closes: int = 0


class Archive:
    """The archive of one portfolio in a folder, which `add` makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._list = folder / LIST

    def listed(self) -> ArchiveList | None:
        """What there is; None where nothing was archived yet. Raises BadArchive."""
        if not self._list.is_file():
            return None
        try:
            return decode_typed(ArchiveList, self._list.read_bytes())
        except (BadText, UnicodeDecodeError) as error:
            raise BadArchive(f"{self._list}: it is no list of an archive: {error}") from None

    def opened(self, run: str, portfolio: str, log: str) -> ArchiveList:
        """What there is of a portfolio, nothing at first. Raises BadArchive for another one's."""
        found = self.listed() or ArchiveList(run, portfolio, log)
        if (found.run, found.portfolio) != (run, portfolio):
            raise BadArchive(
                f"{self.folder}: it is the archive of {found.run}.{found.portfolio}, not of "
                f"{run}.{portfolio}"
            )
        if found.log != log:
            raise BadArchive(f"{self.folder}: it is of another log of {run}.{portfolio}")
        return found

    def verify(self) -> None:
        """Hold every file against its hash. Raises BadArchive."""
        for one in self._needed().chapters:
            path = self.folder / one.file
            if not path.is_file():
                raise BadArchive(f"{path}: the file of chapter {one.number} is missing")
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != one.sha256:
                raise BadArchive(f"{path}: it is not the file that was archived")

    def part(self, number: int) -> ChapterPart:
        """One of the chapters. Raises BadArchive."""
        one = self._needed().chapters[number - 1]
        return ChapterPart(one.number, one.until, one.read, tuple(self._messages(one)))

    def parts(self, first: int = 1) -> Iterator[ChapterPart]:
        """The chapters one by one, from a number on. Raises BadArchive."""
        yield from map(self.part, range(first, len(self._needed().chapters) + 1))

    def _messages(self, chapter: ArchivedChapter) -> Iterator[Stored]:
        path = self.folder / chapter.file
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                yield from map(_stored, lines)
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise BadArchive(f"{path}: it can't be read: {error}") from None

    def add(self, before: ArchiveList, part: ChapterPart) -> ArchiveList:
        """Write the file of the next chapter, then the list that names it. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(_line(one), separators=(",", ":")) for one in part.messages]
        text = "".join(f"{line}\n" for line in lines).encode()
        content = gzip.compress(text, COMPRESSION_LEVEL, mtime=0)
        name = f"chapter-{part.number:05d}.gz"
        self._put(name, content)
        digest = hashlib.sha256(content).hexdigest()
        chapter = ArchivedChapter(
            part.number, name, digest, len(lines), part.until, dict(part.read)
        )
        return self._list_as(replace(before, chapters=(*before.chapters, chapter)))

    def prove(self, before: ArchiveList, closes: int) -> ArchiveList:
        """Note that parity has found one more chapter equal. closes : that it has."""
        proven, closes = before.proven + 1, before.closes + closes
        return self._list_as(replace(before, proven=proven, closes=closes))

    def _list_as(self, listed: ArchiveList) -> ArchiveList:
        self._put(LIST, encode_typed(listed) + b"\n")
        return listed

    def _needed(self) -> ArchiveList:
        if (found := self.listed()) is None:
            raise BadArchive(f"{self.folder}: there is no archive, {LIST} is missing")
        return found

    def _put(self, name: str, content: bytes) -> None:
        """A whole file, on the disk before it has its name."""
        draft = self.folder / f".{name}.draft"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / name)
        place = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


def _line(stored: Stored) -> dict[str, object]:
    message = stored.message
    return {
        "subject": message.subject,
        "sequence": stored.sequence,
        "previous": stored.previous,
        "id": message.id,
        "epoch": message.epoch,
        "kind": message.kind.value,
        "payload": base64.b64encode(message.payload).decode(),
    }


def _stored(line: str) -> Stored:
    told = json.loads(line)
    message = Message(
        told["subject"],
        told["id"],
        base64.b64decode(told["payload"], validate=True),
        told["epoch"],
        Kind(told["kind"]),
    )
    return Stored(message, told["sequence"], told["previous"])
