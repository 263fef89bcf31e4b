"""A log whose bars or chapter were edited is not equal, whatever byte it was."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from stratvector.contracts.codecs import BadMessage, decode_closed_bars, encode_closed_bars
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.chapters import chapter_of, first_chapter
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Stored
from stratvector.runtime.session_document import BadSession
from stratvector.trading.lanes import chapters_lane
from stratvector.trading.parity import Parity, check
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.rewritten_log import Change, as_stored, log_of, rewritten
from tests.sessions.simulated_flow import Flow, run_flow

EDITS = 200


@pytest.fixture(scope="module")
def flow() -> Flow:
    """A calm run with warm-up in which orders are filled."""
    return run_flow(generated_session(8, Shape(2, 2, 1, closes=5, warmup=2)))


def parity_of(flow: Flow, change: Change) -> Parity:
    """The check of a log after a change, from the log alone. Raises OtherChapter or BadSession."""
    bus = rewritten(flow.world.bus.journal, change)
    (stored,) = bus.contents(chapters_lane(flow.session.portfolio))
    session = LoggedSession(chapter_of(stored))
    log = log_of(bus, session)
    whole = session.whole(log) if log.closes else None
    return check(log, session, whole, chapter=session.chapter)


def is_equal(parity: Parity) -> bool:
    return parity.is_equal and parity.is_complete


def said(payload: bytes) -> bytes | None:
    """What bars say, in their one form; None for what is none."""
    try:
        return encode_closed_bars(decode_closed_bars(payload))
    except BadMessage:
        return None


def test_the_chapter_and_the_bars_of_a_log_are_its_sessions(flow: Flow) -> None:
    (stored,) = flow.world.bus.contents(chapters_lane(flow.session.portfolio))
    assert chapter_of(stored) == first_chapter(flow.session)
    assert flow.world.bus.journal.index(stored) < min(
        n for n, one in enumerate(flow.world.bus.journal) if decoded_bars(one)
    )
    assert is_equal(parity_of(flow, as_stored))


def decoded_bars(stored: Stored) -> bool:
    """Whether a message is a cross-section."""
    return stored.message.subject.startswith("bars.") and stored.message.kind.value == "content"


def test_no_edited_byte_of_a_logged_bar_or_chapter_is_taken_for_equal(
    flow: Flow, say: Callable[[str], None]
) -> None:
    dice = random.Random(11)
    opened = [s for s in flow.world.bus.journal if s.message.subject.startswith("chapters.")]
    bars = [s for s in flow.world.bus.journal if decoded_bars(s)]
    found = same = 0
    for number in range(EDITS):
        chosen = dice.choice(bars if number % 5 else opened)
        payload = bytearray(chosen.message.payload)
        payload[dice.randrange(len(payload))] ^= 1 << dice.randrange(8)
        other = bytes(payload)
        means_the_same = number % 5 > 0 and said(other) == said(chosen.message.payload)

        def change(stored: Stored, chosen: Stored = chosen, other: bytes = other) -> bytes:
            return other if stored is chosen else stored.message.payload

        try:
            equal = is_equal(parity_of(flow, change))
        except (OtherChapter, BadSession):
            equal = False
        assert equal == means_the_same, f"edit {number} of {chosen.message.subject}"
        found, same = found + (not equal), same + equal
    say(f"{EDITS} edited bytes of the log: {found} found, {same} mean the same")
    assert found > EDITS * 0.9


@pytest.mark.parametrize("place", [0, 1, -1])
def test_bars_that_announce_another_close_than_the_one_that_follows_are_told(
    flow: Flow, place: int
) -> None:
    """In the warm-up, after the first close, and at the session's last one."""
    universe = flow.session.portfolio.universes[0].name
    of_universe = [s for s in flow.world.bus.journal if decoded_bars(s)]
    of_universe = [s for s in of_universe if f".{universe}." in s.message.subject]
    chosen = of_universe[place]
    section = decode_closed_bars(chosen.message.payload)
    other = encode_closed_bars(replace(section, next_close=section.close_time + 1))

    def change(stored: Stored) -> bytes:
        return other if stored is chosen else stored.message.payload

    parity = parity_of(flow, change)
    assert not is_equal(parity)
    assert parity.first is not None
    assert "the next" in str(parity.first), parity.first
