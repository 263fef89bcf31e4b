"""A session on disk is the session that was written, to the bit, and bad folders are refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.contracts.codecs import encode_closed_bars
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.session_folder import (
    DOCUMENT,
    RecordedSession,
    write_session,
)
from stratvector.trading.bars import FIELDS
from stratvector.trading.benchmark import Benchmark, benchmark_document
from stratvector.trading.session import Session
from tests.sessions.generated_sessions import Shape, generated_session


def assert_same(read: RecordedSession, session: Session) -> None:
    assert read.portfolio == session.portfolio
    assert (read.start, read.caveats) == (session.start, session.caveats)
    assert benchmark_document(read.benchmark) == benchmark_document(session.benchmark)
    assert read.risk_free_rate == session.risk_free_rate
    assert dict(read.strategies) == dict(session.strategies)
    assert np.array_equal(read.schedule.close_times, session.schedule.close_times)
    assert np.array_equal(read.schedule.closes, session.schedule.closes)
    for name, history in session.histories.items():
        copy = read.histories[name]
        assert np.array_equal(copy.bars.close_times, history.bars.close_times)
        assert np.array_equal(copy.open_times, history.open_times)
        assert (copy.source, copy.total_return) == (history.source, history.total_return)
        for field in FIELDS:
            same = getattr(copy.bars, field).tobytes() == getattr(history.bars, field).tobytes()
            assert same, field
        middle = int(history.bars.close_times[len(history.bars) // 2])
        for after in (-1, middle):
            pairs = zip(read.sections(name, after), session.sections(name, after), strict=True)
            assert all(encode_closed_bars(a) == encode_closed_bars(b) for a, b in pairs)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_what_is_written_is_read_back_to_the_bit(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    session = generated_session(seed, Shape(closes=6))
    if seed % 2:
        closes = session.schedule.close_times
        prices = np.random.default_rng(seed).uniform(1e-6, 1e6, len(closes))
        benchmark = Benchmark(closes, prices, "SPY")
        session = replace(session, benchmark=benchmark, risk_free_rate=0.1 + seed / 2**33)
    folder = tmp_path_factory.mktemp("session")
    write_session(folder, session)
    assert_same(RecordedSession(folder), session)
    assert_same(RecordedSession(folder), RecordedSession(folder).whole())


def test_a_session_is_never_overwritten(tmp_path: Path) -> None:
    write_session(tmp_path, generated_session(1))
    with pytest.raises(BadSession, match="a session is there already"):
        write_session(tmp_path, generated_session(2))


def edited(folder: Path, **changes: object) -> RecordedSession:
    write_session(folder, generated_session(1))
    place = folder / DOCUMENT
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))
    return RecordedSession(folder)


def strategy(kind: str, version: str = "1.0.0") -> dict[str, object]:
    return {"m": {"class": kind, "version": version, "parameters": {}, "source": ""}}


@pytest.mark.parametrize(
    ("described", "sentence"),
    [
        (strategy("nowhere:Nothing"), "nowhere:Nothing can't be imported"),
        (strategy("json:JSONDecoder"), "json:JSONDecoder is not a strategy"),
        (
            strategy("stratvector.strategies.momentum:MomentumStrategy", "0.1"),
            "the installed version is 1.0.0; the session was made with 0.1",
        ),
    ],
)
def test_a_strategy_that_is_not_here_is_named(
    described: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSession, match=sentence):
        assert edited(tmp_path, strategies=described).strategies


def test_a_value_that_is_none_is_named_with_its_place(tmp_path: Path) -> None:
    rule = r"session\.json: caveats\[0\]\.code: Field required$"
    with pytest.raises(BadSession, match=rule):
        assert edited(tmp_path, caveats=[{"subject": "AAA"}]).caveats


def test_an_empty_folder_a_torn_document_and_another_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSession, match="no such file; a session's folder holds it"):
        assert RecordedSession(tmp_path).start
    (tmp_path / DOCUMENT).write_text("{")
    with pytest.raises(BadSession, match="it is not JSON"):
        assert RecordedSession(tmp_path).start
    (tmp_path / DOCUMENT).write_text('{"format": 7}')
    with pytest.raises(BadSession, match="format is 7; this version reads 3"):
        assert RecordedSession(tmp_path).start


def test_bars_that_are_missing_or_torn_are_named(tmp_path: Path) -> None:
    write_session(tmp_path, generated_session(1))
    place = next((tmp_path / "bars").glob("*.values.npy"))
    place.write_bytes(place.read_bytes()[:140])
    with pytest.raises(BadSession, match=f"{place.name}: the recorded bars can't be read"):
        assert RecordedSession(tmp_path).histories
