"""begun_session: whether a session's folder is still what its log began with, asked before anything
of the session starts again.
"""

from stratvector.contracts.codecs import encode_closed_bars
from stratvector.runtime.chapters import OtherChapter, refuse_other
from stratvector.runtime.logged_session import LoggedSession, logged_session
from stratvector.runtime.ports import Bus, Kind
from stratvector.runtime.session_folder import RecordedSession
from stratvector.runtime.session_log import contents
from stratvector.trading.bars import ClosedBars
from stratvector.trading.flow import FLOW
from stratvector.trading.lanes import bars_lane
from stratvector.trading.portfolio import Universe
from stratvector.trading.timestamps import utc_text


async def refuse_edited_session(bus: Bus, session: RecordedSession) -> None:
    """Hold document, engine, strategies, times and bars against the log, or against what was
    written where there is no log yet. Raises BadSession or OtherChapter.
    """
    logged = await logged_session(bus)
    _ = session.strategies
    if logged is None:
        await _refuse_headless(bus, session)
        session.refuse_edited_bars()
        return
    for universe in session.portfolio.universes:
        await _refuse_other_bars(bus, session, universe, logged)
    refuse_other(logged.chapter, session.chapter)


async def _refuse_headless(bus: Bus, session: RecordedSession) -> None:
    """A log that holds anything began with a chapter."""
    for hop in FLOW:
        for stored in await bus.read(f"{hop.noun}.>", 0):
            if stored.message.kind is Kind.CONTENT:
                raise OtherChapter(
                    f"{session.folder}: its log holds {hop.noun} but not the chapter that it began "
                    "with; a part of the log is lost"
                )


async def _refuse_other_bars(
    bus: Bus, session: RecordedSession, universe: Universe, logged: LoggedSession
) -> None:
    """Every published cross-section is the folder's, and so is the hash of all of them."""
    lane = bars_lane(session.portfolio, universe)
    own = session.sections(universe.name, -(2**63))
    for stored in await contents(bus, lane):
        section = next(own, None)
        if section is None or encode_closed_bars(section) != stored.message.payload:
            raise _differ(session, universe, section)
    promised = {one.universe: one.hash for one in logged.chapter.bars}
    if session.bars_hash(universe.name) != promised.get(universe.name):
        raise _differ(session, universe, None)


def _differ(
    session: RecordedSession, universe: Universe, section: ClosedBars | None
) -> OtherChapter:
    place = "after the last published close"
    if section is not None:
        place = f"first at {utc_text(section.close_time)}"
    return OtherChapter(
        f"{session.bars_file(universe.name)}: the bars of universe {universe.name} are not those "
        f"that the log began with: they differ {place}"
    )
