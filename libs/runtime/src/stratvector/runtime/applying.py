"""applying: a wish becomes a document, unless the log says that it can't be met.

Asked again with the same wish, nothing changes: who was interrupted applies again.
"""

from dataclasses import replace

from stratvector.contracts.codecs import BadMessage
from stratvector.runtime.chapter_changes import OtherChapter, refuse_other, refuse_wish
from stratvector.runtime.chapters import chapter_of, newest_chapter
from stratvector.runtime.confirmations import CONFIRMING, Confirmations
from stratvector.runtime.documents import Documents, Wish, Wished
from stratvector.runtime.ports import Bus, KeyValue, Kind, Stored
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.shared_bars import refuse_other_bars
from stratvector.trading.chapters import Chapter
from stratvector.trading.flow import FLOW
from stratvector.trading.lanes import chapters_lane_of
from stratvector.trading.runs import bars_run


async def refuse_unmeetable(bus: Bus, wish: Wish) -> Chapter | None:
    """Hold a wish against the log: the chapter that holds in its run, None before the start.

    Raises OtherChapter where that can't be changed to what is wished, BadSession for a document
    that can't be run here.
    """
    session = wish.session()
    _ = session.portfolio, session.closes, session.last_close
    standing = await newest_chapter(bus, wish.run, wish.portfolio)
    for sentence in session.other_sources():
        raise BadSession(f"document {wish.key}: {sentence}")
    if standing is None and (noun := await _headless(bus, wish)) is not None:
        # It may have begun while the lanes were read.
        standing = await newest_chapter(bus, wish.run, wish.portfolio)
        if standing is None:
            raise OtherChapter(
                f"the log of {wish.run} holds {noun} but not the chapter that it began with; a "
                "part of the log is lost"
            )
    if standing is None:
        return None
    refuse_wish(standing.chapter, session.chapter)
    return standing.chapter


def chapter_in(stored: Stored) -> Chapter:
    """The chapter in a message of the log. Raises BadSession."""
    try:
        return chapter_of(stored)
    except (BadMessage, OtherChapter) as error:
        raise BadSession(f"{stored.message.subject}: {error}") from None


async def apply(
    bus: Bus, documents: Documents, wish: Wish, version: int | None = None, again: bool = False
) -> Wished:
    """Want this; the document as it is stored then.

    version : the one that the wish is a change of, None takes whichever is there. again : what
    says the same is stored anew, so that risk tries it once more. Raises StaleDocument, and what
    `refuse_unmeetable` and `refuse_other_bars` raise.
    """
    await refuse_other_bars(bus, documents, wish, await refuse_unmeetable(bus, wish))
    there = await documents.of(wish.key)
    _refuse_stopped(there)
    if there is not None and there.wish.says_the_same(wish) and not again:
        return there
    seen = (there.version if there else 0) if version is None else version
    return Wished(wish, await documents.put(wish, seen))


async def go_on(bus: Bus, documents: Documents, wish: Wish) -> Wished:
    """Want what a run folder holds: the run begins with it, or began with it and goes on, with
    whatever was applied to it since.

    Raises OtherChapter where the log began with something else, and what `apply` raises.
    """
    if wish.stopped:
        raise BadSession(f"document {wish.key}: stopped is true; a run does not begin as stopped")
    first = await bus.read(chapters_lane_of(wish.run, wish.portfolio), 0, 1)
    there = await documents.of(wish.key)
    _refuse_stopped(there)
    if not first or there is None:
        if first:
            refuse_other(chapter_in(first[0]), wish.chapter())
        return await apply(bus, documents, wish)
    for sentence in wish.session().other_sources():
        raise BadSession(f"document {wish.key}: {sentence}")
    refuse_other(chapter_in(first[0]), wish.chapter())
    return there


async def unloadable(bus: Bus, key_value: KeyValue, wish: Wish) -> tuple[str, str] | None:
    """Which service can't load what a wish adds, and why; None while none has said so."""
    for service in CONFIRMING:
        about, refused = await Confirmations(key_value, service, wish.run, wish.portfolio).said()
        if refused and await _is_about(bus, about, wish):
            return service, refused
    return None


async def _is_about(bus: Bus, chapter_id: str, wish: Wish) -> bool:
    """Whether a chapter that was proposed is of a wish."""
    lane, after = chapters_lane_of(wish.run, wish.portfolio), 0
    while page := await bus.read(lane, after):
        for stored in page:
            if stored.message.id == chapter_id and stored.message.kind is Kind.CONTENT:
                chapter = chapter_of(stored)
                is_whole = (chapter.document, chapter.applied_at) == (wish.document, wish.at)
                return is_whole or bool(closing_for(chapter, wish))
        after = page[-1].sequence
    return False


def closing_for(chapter: Chapter, wish: Wish) -> tuple[str, ...]:
    """The symbols that a wish removes and that are sold in a chapter which holds all the rest of
    it; none where the chapter is of another wish, or has all that is wished.
    """
    if (chapter.applied_by, chapter.applied_at) != (wish.by, wish.at):
        return ()
    return tuple(symbol for bars in chapter.bars for symbol in bars.closing)


async def stop(documents: Documents, there: Wished, by: str, at: int) -> Wished:
    """Want a portfolio to trade no more in its run. by : who asks. at : when, ns UTC.

    Raises StaleDocument.
    """
    if there.wish.stopped:
        return there
    wish = replace(there.wish, stopped=True, by=by, at=at)
    return Wished(wish, await documents.put(wish, there.version))


def _refuse_stopped(there: Wished | None) -> None:
    """Raises OtherChapter."""
    if there is not None and there.wish.stopped:
        raise OtherChapter(
            f"{there.wish.key} was stopped by {there.wish.by}, which nobody takes back: apply it "
            "as another run"
        )


async def _headless(bus: Bus, wish: Wish) -> str | None:
    """A noun that the portfolio's run holds though it has no chapter, None where there is none. A
    feed that other portfolios read is none of its own.
    """
    run, portfolio = wish.run, wish.portfolio
    has_others = await _holds(bus, f"chapters.{run}.>")
    for noun in (hop.noun for hop in FLOW):
        if noun == "bars":
            is_own = bars_run(run) == run and not has_others
            lanes = [f"bars.{run}.>"] if is_own else []
        else:
            lanes = [f"{noun}.{run}.{portfolio}", f"{noun}.{run}.{portfolio}.>"]
        for lane in lanes:
            if await _holds(bus, lane):
                return noun
    return None


async def _holds(bus: Bus, lanes: str) -> bool:
    return any(stored.message.kind is Kind.CONTENT for stored in await bus.read(lanes, 0))
