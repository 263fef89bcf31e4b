"""documents: what is wanted of each portfolio in each run, in the key-value bucket `documents`.

Only risk reads what is wanted; what holds is in the log, where risk puts it as a chapter, and
everybody else reads that. Who changes a document names the version that he saw, so that of two who
change it at once the second is told.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Entry, KeyValue, WrongRevision
from stratvector.runtime.session_document import BadSession, EndlessSession, canonical
from stratvector.runtime.validation_sentences import mistakes
from stratvector.trading.chapters import FIRST, Chapter, ChapterBars
from stratvector.trading.runs import check_run

if TYPE_CHECKING:
    from stratvector.trading.session import Session

DOCUMENTS = "documents"


class StaleDocument(RuntimeError):
    """Somebody else changed the document meanwhile."""

    def __init__(self, key: str, version: int) -> None:
        seen = f"version {version}" if version else "that there is none"
        super().__init__(
            f"the document of {key} was changed meanwhile: this change was made on {seen}; look at "
            "it again and apply your change to it"
        )
        self.key, self.version = key, version


@dataclass(frozen=True)
class Wish:
    """What somebody wants a portfolio to be in a run.

    document : canonical JSON, see `session_document`. bars : of its universes. by : who asked. at :
    when, ns UTC. stopped : it is to trade no more in this run.
    """

    run: str
    portfolio: str
    document: str
    bars: tuple[ChapterBars, ...]
    by: str
    at: int
    stopped: bool = False

    @property
    def key(self) -> str:
        """Its key in the bucket."""
        return f"{self.run}.{self.portfolio}"

    def session(self) -> LoggedSession:
        """What it describes; what its parts raise, they raise when they are asked for."""
        return LoggedSession(self.chapter())

    def chapter(self) -> Chapter:
        """The chapter that this engine opens for it."""
        from stratvector.trading.engine.compiling import engine_hash

        portfolio, document = self.portfolio, self.document
        return Chapter(
            portfolio,
            FIRST,
            engine_hash(),
            document,
            self.bars,
            self.run,
            applied_by=self.by,
            applied_at=self.at,
        )

    def says_the_same(self, other: "Wish") -> bool:
        """Whether both want the same, whoever asked and when."""
        return self == replace(other, by=self.by, at=self.at)


@dataclass(frozen=True)
class Wished:
    """A wish as it is stored. version : 1 and more, another one after each change."""

    wish: Wish
    version: int


_WISH = TypeAdapter(Wish)


def wish_of(session: "Session", by: str, at: int) -> Wish:
    """What a session in memory wants. by : who asks. at : when, ns UTC."""
    portfolio, chapter = session.portfolio, first_chapter(session)
    return Wish(portfolio.run, portfolio.name, chapter.document, chapter.bars, by, at)


def endless_wish_of(session: EndlessSession, by: str, at: int) -> Wish:
    """What a session without an end wants. by, at : as above."""
    portfolio, document = session.portfolio, canonical(session.document())
    return Wish(portfolio.run, portfolio.name, document, session.bars, by, at)


def warmups_of(wish: Wish) -> dict[str, int]:
    """Closes before the first that trades that a run began with, per universe: a model that is
    added later, and needs more of them, says nothing until it has seen as many. Raises BadSession.
    """
    session = wish.session()
    names = [universe.name for universe in session.portfolio.universes]
    return {name: int(session.source(name)["load"]["warmup_closes"]) for name in names}


def encode_wish(wish: Wish) -> bytes:
    """A wish as JSON."""
    values = _WISH.dump_python(wish, mode="json") | {"document": json.loads(wish.document)}
    return json.dumps(values, separators=(",", ":")).encode()


def decode_wish(place: str, value: bytes) -> Wish:
    """The wish in bytes. place : where they stand, for sentences. Raises BadSession."""
    try:
        values = json.loads(value)
        if not isinstance(values, dict) or not isinstance(values.get("document"), dict):
            raise BadSession(f"{place}: it is no table of keys with a document")
        wish = _WISH.validate_python(values | {"document": canonical(values["document"])})
        check_run(wish.run)
        for bars in wish.bars:
            if bars.closes < 0:
                raise BadSession(
                    f"{place}: closes of universe {bars.universe} is {bars.closes}; it must be 0, "
                    "which is without end, or more"
                )
    except BadSession:
        raise
    except ValidationError as error:
        raise BadSession(f"{place}: {mistakes(error.errors())[0].told()}") from None
    except (ValueError, RecursionError) as error:
        raise BadSession(f"{place}: it can't be read: {error}") from None
    return wish


class Documents:
    """The bucket. key_value : of `DOCUMENTS`."""

    def __init__(self, key_value: KeyValue) -> None:
        self._key_value = key_value

    async def of(self, key: str) -> Wished | None:
        """What is wanted under a key, `<run>.<portfolio>`. Raises BadSession."""
        entry = await self._key_value.get(key)
        if entry is None:
            return None
        return Wished(decode_wish(f"document {key}", entry.value), entry.revision)

    async def all(self) -> Sequence[Wished]:
        """Everything that is wanted, ordered by key. Raises BadSession."""
        entries = await self.stored()
        return [
            Wished(decode_wish(f"document {key}", entry.value), entry.revision)
            for key, entry in sorted(entries.items())
        ]

    async def stored(self) -> Mapping[str, Entry]:
        """The same as it is stored, by key: one that can't be read hides none of the others."""
        return await self._key_value.all()

    async def put(self, wish: Wish, version: int) -> int:
        """Want something else; the new version. version : the one that was seen, 0 for none.

        Raises StaleDocument.
        """
        try:
            return await self._key_value.put(wish.key, encode_wish(wish), version)
        except WrongRevision:
            entry = await self._key_value.get(wish.key)
            # A put whose answer got lost was tried again, and met itself.
            if entry is not None and entry.value == encode_wish(wish):
                return entry.revision
            raise StaleDocument(wish.key, version) from None
