"""session_in_log: which session a log tells, and all of it."""

from stratvector.contracts.codecs import BadMessage
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.chapters import chapter_of, logged_chapters
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Bus
from stratvector.runtime.served import NotServed, PortfolioRun, chosen
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.session_log import read_session
from stratvector.trading.logged import SessionLog


async def logged_session(bus: Bus, portfolio: str = "", run: str = "") -> LoggedSession | None:
    """The session of a portfolio in a run that a log tells; None while none has begun.

    portfolio, run : may be left open where only one is meant. Raises BadSession.
    """
    chapters = {
        PortfolioRun.parsed(stored.message.subject.partition(".")[2]): stored
        for stored in await logged_chapters(bus)
    }
    if not chapters:
        return None
    try:
        _, stored = chosen(chapters, portfolio, run, "the log")
        return LoggedSession(chapter_of(stored))
    except NotServed as error:
        raise BadSession(str(error)) from None
    except (BadMessage, OtherChapter) as error:
        raise BadSession(f"{stored.message.subject}: {error}") from None


async def read_logged_session(
    bus: Bus, portfolio: str = "", run: str = ""
) -> tuple[LoggedSession, SessionLog] | None:
    """The same with all its lanes. Raises BadSession."""
    session = await logged_session(bus, portfolio, run)
    return None if session is None else (session, await read_session(bus, session))
