"""finding: how a service comes to its portfolio: from the log, and risk from what is wanted.

A process that finds none stands by, and is ready: somebody will apply a document, and risk will
open its chapter.
"""

from collections.abc import Awaitable, Callable

from stratvector.runtime.applying import chapter_in
from stratvector.runtime.chapters import logged_chapters
from stratvector.runtime.documents import Documents, Wished
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.trading.lanes import chapters_lane_of

REST_SECONDS = 0.1
NO_DOCUMENT = "no portfolio is wanted yet: apply a document"
NO_CHAPTER = "no portfolio has begun yet"

Find = Callable[[Ports, Callable[[str], None]], Awaitable[LoggedSession]]


async def begun_session(ports: Ports, idle: Callable[[str], None]) -> LoggedSession:
    """What the log's first chapter tells, as soon as there is one. Raises BadSession.

    idle : takes why there is nothing to do, and an empty text when there is.
    """
    while not (chapters := await logged_chapters(ports.bus)):
        idle(NO_CHAPTER)
        await ports.clock.sleep(REST_SECONDS)
    idle("")
    return LoggedSession(chapter_in(chapters[0]))


async def wanted_session(ports: Ports, idle: Callable[[str], None]) -> LoggedSession:
    """What the document of the run that has begun wants, before any has that of the first one that
    was applied, as soon as there is one. Raises BadSession.

    idle : as above.
    """
    assert ports.documents is not None, "this service may not read documents"
    documents = Documents(ports.documents)
    while not (wanted := await documents.all()):
        idle(NO_DOCUMENT)
        await ports.clock.sleep(REST_SECONDS)
    idle("")
    begun = {stored.message.subject for stored in await logged_chapters(ports.bus)}

    def late(one: Wished) -> tuple[bool, int]:
        return chapters_lane_of(one.wish.run, one.wish.portfolio) not in begun, one.version

    return min(wanted, key=late).wish.session()
