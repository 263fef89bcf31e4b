"""What is wanted is read back as it was wished, changed by one at a time, held against the log."""

import json
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.runtime.applying import apply, go_on
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.documents import (
    Documents,
    StaleDocument,
    Wish,
    decode_wish,
    encode_wish,
    wish_of,
)
from stratvector.runtime.host import Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.runtime.process.finding import BEGUN, WANTED
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.simulation.world import World
from stratvector.trading.benchmark import Benchmark, benchmark_document
from stratvector.trading.engine import compiling
from stratvector.trading.lanes import orders_lane
from stratvector.trading.session import Session
from tests.sessions.begun import begin
from tests.sessions.generated_sessions import Shape, generated_session

PLACE = "document replay.1.generated"
SESSION = generated_session(1, Shape(closes=6))
WISH = wish_of(SESSION, "ada", 7)
Script = Callable[[Ports, Documents], Coroutine[Any, Any, None]]
NAME = SESSION.portfolio.name


def assert_same(read: LoggedSession, session: Session) -> None:
    assert read.portfolio == session.portfolio
    assert (read.start, read.caveats) == (session.start, session.caveats)
    assert (read.closes, read.last_close) == (session.closes, session.schedule.close_times[-1])
    assert dict(read.strategies) == dict(session.strategies)
    assert read.risk_free_rate == session.risk_free_rate
    assert benchmark_document(read.benchmark) == benchmark_document(session.benchmark)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_what_is_wished_is_read_back_to_the_bit(seed: int) -> None:
    session = generated_session(seed, Shape(closes=6))
    if seed % 2:
        closes = session.schedule.close_times
        prices = np.random.default_rng(seed).uniform(1e-6, 1e6, len(closes))
        benchmark = Benchmark(closes, prices, "SPY")
        session = replace(session, benchmark=benchmark, risk_free_rate=0.1 + seed / 2**33)
    wish = wish_of(session, "ada", seed)
    read = decode_wish(PLACE, encode_wish(wish))
    assert read == wish
    assert read.chapter() == wish.chapter()
    assert_same(read.session(), session)


def edited(**changes: object) -> LoggedSession:
    values = json.loads(encode_wish(WISH))
    values["document"] |= changes
    return decode_wish(PLACE, json.dumps(values).encode()).session()


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
def test_a_strategy_that_is_not_here_is_named(described: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadSession, match=sentence):
        assert edited(strategies=described).strategies


def test_a_value_that_is_none_is_named_with_its_place() -> None:
    with pytest.raises(BadSession, match=r"caveats\[0\]\.code: Field required$"):
        assert edited(caveats=[{"subject": "AAA"}]).caveats


@pytest.mark.parametrize("other", [replace(WISH, run="replay.9"), replace(WISH, portfolio="other")])
def test_a_document_of_another_run_or_portfolio_is_not_applied(other: Wish) -> None:
    async def script(ports: Ports, documents: Documents) -> None:
        with pytest.raises(BadSession, match="its document is of "):
            await apply(ports.bus, documents, other)
        assert await documents.all() == []

    play(script)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (b"{", "it can't be read: "),
        (b"\xff", "it can't be read: "),
        (b"[]", "it is no table of keys with a document"),
        (b"{}", "it is no table of keys with a document"),
        (b'{"document": {}}', "run: Field required"),
        (json.dumps(json.loads(encode_wish(WISH)) | {"run": "x"}).encode(), "run is 'x'; it must"),
    ],
)
def test_what_is_no_document_is_refused_in_one_sentence(value: bytes, sentence: str) -> None:
    with pytest.raises(BadSession, match=sentence) as refused:
        decode_wish(PLACE, value)
    assert str(refused.value).startswith(PLACE)
    assert "\n" not in str(refused.value)


def test_a_number_of_bars_or_closes_below_zero_is_refused() -> None:
    values = json.loads(encode_wish(WISH))
    values["bars"][0]["closes"] = -1
    with pytest.raises(BadSession, match=r"closes of universe .* is -1; it must be 0"):
        decode_wish(PLACE, json.dumps(values).encode())
    with pytest.raises(BadSession, match="closes can't be read: -1 is below 0"):
        assert edited(closes=-1).closes


def play(script: Script) -> World:
    """Run a script on a world's bus and an empty bucket."""
    world = World()

    async def run(ports: Ports) -> None:
        await script(ports, Documents(ports.key_value))

    world.add("script", lambda ports: Tasks([run(ports)]))
    world.run(until=["script"])
    return world


def test_of_two_who_change_a_document_at_once_the_second_is_told() -> None:
    async def script(ports: Ports, documents: Documents) -> None:
        assert await documents.of(WISH.key) is None
        first = await documents.put(WISH, 0)
        second = await documents.put(replace(WISH, by="bob"), first)
        with pytest.raises(StaleDocument, match="this change was made on version 1"):
            await documents.put(replace(WISH, by="eve"), first)
        with pytest.raises(StaleDocument, match="made on that there is none"):
            await documents.put(replace(WISH, by="eve"), 0)
        found = await documents.of(WISH.key)
        assert found is not None
        assert (found.wish.by, found.version) == ("bob", second)
        other = replace(WISH, portfolio="other")
        await documents.put(other, 0)
        assert [one.wish for one in await documents.all()] == [found.wish, other]

    play(script)


def test_the_same_wish_again_changes_nothing_whoever_asks() -> None:
    async def script(ports: Ports, documents: Documents) -> None:
        once = await apply(ports.bus, documents, WISH)
        again = await apply(ports.bus, documents, replace(WISH, by="bob", at=99))
        assert again == once

    play(script)


def test_a_run_that_has_begun_otherwise_refuses_the_wish_and_keeps_its_document() -> None:
    other = wish_of(generated_session(2, Shape(closes=6)), "bob", 8)

    async def script(ports: Ports, documents: Documents) -> None:
        once = await apply(ports.bus, documents, WISH)
        await begin(ports.bus, SESSION)
        assert await apply(ports.bus, documents, WISH) == once
        with pytest.raises(OtherChapter, match="document is not the one that its log began with"):
            await apply(ports.bus, documents, other)
        assert await documents.of(WISH.key) == once

    play(script)


@pytest.mark.parametrize("run", ["paper.1", "replay.1"])
def test_another_engine_goes_on_with_a_run_that_is_no_replay(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `up` and `paper run` do at each start, and `apply` at any time."""
    session = replace(SESSION, portfolio=replace(SESSION.portfolio, run=run))
    wish, ran = wish_of(session, "ada", 7), compiling.engine_hash()

    async def script(ports: Ports, documents: Documents) -> None:
        first = await go_on(ports.bus, documents, wish)
        await begin(ports.bus, session)
        monkeypatch.setattr(compiling, "engine_hash", lambda: "f" * 16)
        for ask in (go_on, apply):
            if run == "paper.1":
                assert await ask(ports.bus, documents, wish) == first
                continue
            with pytest.raises(OtherChapter, match=f"engine {ran} and this is {'f' * 16}: a repl"):
                await ask(ports.bus, documents, wish)

    play(script)


def test_a_log_without_its_beginning_refuses_every_wish() -> None:
    async def script(ports: Ports, documents: Documents) -> None:
        lane = Lane(ports, orders_lane(SESSION.portfolio))
        await lane.acquire()
        await lane.publish("id", b"decision")
        with pytest.raises(OtherChapter, match="holds orders but not the chapter"):
            await apply(ports.bus, documents, WISH)
        portfolio = replace(SESSION.portfolio, run="replay.2")
        await apply(ports.bus, documents, wish_of(replace(SESSION, portfolio=portfolio), "ada", 7))

    play(script)


def test_risk_finds_every_document_as_it_is_applied_and_changed() -> None:
    second, first = (replace(WISH, run=run) for run in ("replay.a", "replay.b"))

    async def script(ports: Ports, documents: Documents) -> None:
        await documents.put(first, 0)
        await documents.put(second, 0)
        async with aclosing(WANTED.follow(replace(ports, documents=ports.key_value))) as found:
            batch = await anext(found)
            assert [one.key for one in batch] == [f"replay.b.{NAME}", f"replay.a.{NAME}"]
            assert [one.read().chapter.run for one in batch] == ["replay.b", "replay.a"]
            await documents.put(replace(first, by="bob"), batch[0].version)
            await ports.key_value.put("replay.c.main", b"no document", 0)
            changed, broken = await anext(found)
            assert (changed.key, changed.version > batch[0].version) == (f"replay.b.{NAME}", True)
            with pytest.raises(BadSession, match=r"document replay\.c\.main: it can't be read"):
                broken.read()

    play(script)


def test_other_services_find_every_run_that_begins_once() -> None:
    runs = [replace(SESSION, portfolio=replace(SESSION.portfolio, run=f"replay.{n}")) for n in "ab"]

    async def script(ports: Ports, documents: Documents) -> None:
        await begin(ports.bus, runs[0])
        async with aclosing(BEGUN.follow(ports)) as found:
            assert [one.read().chapter.run for one in await anext(found)] == ["replay.a"]
            await begin(ports.bus, runs[1])
            assert [one.key for one in await anext(found)] == [f"replay.b.{NAME}"]

    play(script)
