"""What a chapter carries is everything: whoever begins with it goes on as if he had read it all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.contracts.codecs import encode_ledger_entry
from tests.sessions.live_play import SlowToCancel, play_live
from tests.sessions.wild_sessions import wild_session


@pytest.mark.parametrize("closes_per_chapter", [1, 2, 7])
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 100_000))
def test_a_session_in_chapters_is_the_session_in_one(closes_per_chapter: int, seed: int) -> None:
    session = wild_session(seed)
    whole = play_live(session)
    chapters = play_live(session, closes_per_chapter=closes_per_chapter)
    # As text: NaN equals itself, and a zero keeps its sign.
    assert repr(chapters.decisions) == repr(whole.decisions)
    assert repr(chapters.events) == repr(whole.events)
    assert list(map(encode_ledger_entry, chapters.entries)) == list(
        map(encode_ledger_entry, whole.entries)
    )


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 100_000))
def test_a_cancel_under_way_is_carried(seed: int) -> None:
    session = wild_session(seed)
    whole = play_live(session, SlowToCancel)
    chapters = play_live(session, SlowToCancel, closes_per_chapter=1)
    assert repr(chapters.decisions) == repr(whole.decisions)
    assert list(map(encode_ledger_entry, chapters.entries)) == list(
        map(encode_ledger_entry, whole.entries)
    )
