"""finding: which portfolios in which runs there are to serve, for as long as the process lives.

    chapters in the log      ─▶ every service: what has begun
    documents that are wanted ─▶ risk alone: what has begun, and what is to begin

A process that finds none stands by, and is ready: somebody will apply a document, and risk will
open its chapter. What comes later is found by those who are here, without a word to them.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from stratvector.runtime.applying import chapter_in
from stratvector.runtime.documents import Documents, decode_wish
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Entry, Ports, Stored
from stratvector.trading.flow import hop

REST_SECONDS = 0.05
REST_SECONDS_MAX = 0.5
PAGE = 256
NO_DOCUMENT = "waiting for documents: apply one"
NO_CHAPTER = "waiting for documents"


@dataclass(frozen=True)
class Found:
    """A portfolio in a run. key : `<run>.<portfolio>`. version : another one after each change of
    what is wanted; a chapter that has begun has one. read : its session; raises BadSession.
    """

    key: str
    version: int
    read: Callable[[], LoggedSession]


@dataclass(frozen=True)
class Finding:
    """A way to find. idle : why there is nothing to do as long as nothing was found.

    follow : batches of what was found since the batch before; it never ends. The first one holds
    all that is there at the start, if anything is.
    """

    idle: str
    follow: Callable[[Ports], AsyncGenerator[Sequence[Found], None]]


async def _begun_sessions(ports: Ports) -> AsyncGenerator[Sequence[Found], None]:
    """What the first chapter of each lane tells."""
    noun, after, looked, rest_seconds = hop("chapters").noun, 0, False, REST_SECONDS
    while True:
        found = list[Found]()
        while page := await ports.bus.read(f"{noun}.>", after, PAGE):
            after = page[-1].sequence
            found += [_begun(stored, len(noun) + 1) for stored in page]
        if found or not looked:
            looked, rest_seconds = True, REST_SECONDS
            yield found
        await ports.clock.sleep(rest_seconds)
        rest_seconds = min(2 * rest_seconds, REST_SECONDS_MAX)


def _begun(stored: Stored, prefix_length: int) -> Found:
    def read() -> LoggedSession:
        return LoggedSession(chapter_in(stored))

    return Found(stored.message.subject[prefix_length:], 1, read)


async def _wanted_sessions(ports: Ports) -> AsyncGenerator[Sequence[Found], None]:
    """What each document wants, whether its run has begun or not; again when it is changed."""
    assert ports.documents is not None, "this service may not read documents"
    documents, seen = Documents(ports.documents), dict[str, int]()
    looked, rest_seconds = False, REST_SECONDS
    while True:
        stored = await documents.stored()
        found = [
            Found(key, entry.revision, partial(_wanted, key, entry))
            for key, entry in sorted(stored.items(), key=lambda one: one[1].revision)
            if seen.get(key) != entry.revision
        ]
        if found or not looked:
            seen.update({one.key: one.version for one in found})
            looked, rest_seconds = True, REST_SECONDS
            yield found
        await ports.clock.sleep(rest_seconds)
        rest_seconds = min(2 * rest_seconds, REST_SECONDS_MAX)


def _wanted(key: str, entry: Entry) -> LoggedSession:
    return decode_wish(f"document {key}", entry.value).session()


BEGUN = Finding(NO_CHAPTER, _begun_sessions)
WANTED = Finding(NO_DOCUMENT, _wanted_sessions)
