"""A gateway goes on from what it has kept, and answers what one answers that read the whole log."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stratvector.contracts.codecs import decode_positions
from stratvector.contracts.codecs.typed_json import encode_typed
from stratvector.runtime.change_words import SOLD, WANTED_AGAIN, symbol_change
from stratvector.runtime.chapters import Standing
from stratvector.runtime.documents import wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.ports import Kind, Ports, Stored
from stratvector.runtime.purging import kept_chapter, purge_log
from stratvector.runtime.simulation.faults import Faults
from stratvector.services.gateway.console.positions import positions
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.live import Happening, LiveSession
from stratvector.services.gateway.resuming import Reading, resumed
from stratvector.trading.lanes import positions_lane
from stratvector.trading.portfolio import ModelAllocation
from tests.sessions.changed_sessions import (
    Applying,
    with_model,
    with_symbol,
    without_model,
    without_symbol,
)
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, run_flow

READ_SECONDS = 10.0
LENGTH = 40
LIVES = count()
ASKED = (
    "/api/portfolio",
    "/api/portfolio/summary",
    "/api/portfolio/positions",
    "/api/portfolio/equity?limit=1000",
    "/api/portfolio/attribution",
    "/api/trading/orders?limit=1000",
    "/api/trading/fills?limit=1000",
    "/api/chapters",
)


class CutBus:
    """A log as it was when only so many of its messages were stored."""

    def __init__(self, flow: Flow, messages: int) -> None:
        self._bus = flow.world.bus
        self._there = {(s.message.subject, s.sequence) for s in self._bus.journal[:messages]}
        self._newest = {s.message.subject: s for s in self._bus.journal[:messages]}

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        page = await self._bus.read(subject, after, limit)
        return [one for one in page if (one.message.subject, one.sequence) in self._there]

    async def last(self, subject: str) -> Stored | None:
        return self._newest.get(subject)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


@pytest.fixture(scope="module")
def flow() -> Flow:
    session = generated_session(4, Shape(2, 2, 3, closes=150))
    flow = run_flow(session, closes_per_chapter=LENGTH)
    assert len(flow.openings) == 3
    return flow


def lived(flow: Flow, live: LiveSession, messages: int | None = None) -> Reading:
    """A gateway that begins, reads so much of the log, keeps what it knows and is killed."""
    made, more = list[Reading](), list[Callable[[str, Any], None]]()
    bus: Any = flow.world.bus if messages is None else CutBus(flow, messages)

    async def begin(ports: Ports) -> None:
        own = replace(ports, bus=bus, begin=lambda key, tasks: more[-1](key, tasks))
        made.append(await resumed(own, flow.session, live))

    def follow(ports: Ports) -> Tasks:
        more.append(ports.begin)
        return Tasks(made[0].coroutines())

    async def until_read(ports: Ports) -> None:
        await ports.clock.sleep(READ_SECONDS)
        await made[0].keep()

    world, life = flow.world, next(LIVES)
    world.add(f"begin {life}", lambda ports: Tasks([begin(ports)]))
    world.run(until=[f"begin {life}"])
    world.add(f"gateway {life}", follow)
    world.add(f"patience {life}", lambda ports: Tasks([until_read(ports)]))
    world.run(until=[f"patience {life}"])
    return made[0]


def forgotten(flow: Flow) -> None:
    flow.world.snapshots.entries.clear()


def new_live(flow: Flow) -> LiveSession:
    return LiveSession(flow.session.portfolio, len(flow.session.schedule), Hub())


def known(live: LiveSession) -> dict[str, Any]:
    """All that does not depend on when which lane was read: how many closes an event skipped does,
    and how the lines of the lanes are mixed.
    """
    known: dict[str, Any] = json.loads(encode_typed(replace(live.kept, happenings=())))
    for one in known["told"]:
        one["body"] = json.loads(one["body"]) | {"skipped": None}
    known["told"].sort(key=lambda one: (one["type"], one["key"]))
    return known


def happenings(live: LiveSession, noun: str) -> list[Happening]:
    return [one for one in live.happenings if one.noun == noun]


@pytest.fixture(scope="module")
def changing() -> Flow:
    """A model is added, then another one removed, and in between a symbol is added, which goes in
    the end.
    """
    session = generated_session(4, Shape(2, 2, 3, closes=150))
    universe = session.portfolio.universes[0].name
    more = with_model(session, ModelAllocation("added", universe, 0.2), DriftStrategy(2, 0.0))
    wider = with_symbol(more, universe, "NEW", 1)
    fewer = without_model(wider, session.portfolio.model_names[0])
    later = [more, wider, fewer, without_symbol(fewer, "NEW")]
    wishes = [wish_of(one, "ada", n) for n, one in enumerate(later, 1)]
    applying, slow = Applying(wishes, 1.0, []), Faults(delay_seconds_max=0.05)
    flow = run_flow(session, 4, slow, closes_per_chapter=LENGTH, beside=applying, later=later)
    assert len(flow.openings) > 4
    assert any(entry.positions.get("NEW") for entry in flow.entries)
    assert len(flow.entries[-1].models) == 4
    newest, *_ = log_of(flow.world.bus, session).chapters[::-1]
    assert "NEW" not in newest.portfolio.symbols
    return flow


@pytest.mark.parametrize("which", ["flow", "changing"])
@pytest.mark.parametrize("part", [0.1, 0.37, 0.62, 0.97])
def test_whoever_goes_on_knows_what_who_read_everything_knows(
    which: str, part: float, request: pytest.FixtureRequest
) -> None:
    flow: Flow = request.getfixturevalue(which)
    forgotten(flow)
    whole = new_live(flow)
    lived(flow, whole)
    forgotten(flow)
    lived(flow, new_live(flow), int(part * len(flow.world.bus.journal)))
    again = new_live(flow)
    lived(flow, again)
    assert known(again) == known(whole)
    for noun in ("orders", "fills", "halts"):
        ours, theirs = happenings(again, noun), happenings(whole, noun)
        shorter = min(len(ours), len(theirs))
        assert ours[len(ours) - shorter :] == theirs[len(theirs) - shorter :]
    assert again.state == whole.state == "finished"
    assert again.portfolio == whole.portfolio


def test_the_console_marks_what_is_closing_and_knows_what_has_gone(changing: Flow) -> None:
    lane = positions_lane(changing.session.portfolio)
    held = [
        place
        for place, one in enumerate(changing.world.bus.journal)
        if one.message.subject == lane
        and one.message.kind is Kind.CONTENT
        and "NEW" in decode_positions(one.message.payload).positions
    ]
    forgotten(changing)
    live = new_live(changing)
    lived(changing, live, held[-1] + 1)
    assert live.portfolio.closing_symbols == ("NEW",)
    told = positions(cast(PortfolioContext, SimpleNamespace(live=live)))
    assert told.count(", closing</small>") == 1
    forgotten(changing)
    whole = new_live(changing)
    lived(changing, whole)
    assert "NEW" in whole.instruments
    assert "NEW" not in whole.portfolio.symbols
    changes = [symbol_change(change) for row in whole.chapters.rows for change in row.changes]
    assert [one.what for one in changes if one and one.symbol == "NEW"] == [
        "added",
        SOLD,
        WANTED_AGAIN,
        "removed",
    ]


def test_answers_of_a_start_in_the_third_chapter_are_those_of_who_read_everything(
    flow: Flow, in_house: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, read = list[dict[str, Any]](), Counter[str]()
    real_next = Inbox.next

    async def counted(self: Inbox) -> Stored:
        read[self.subject] += 1
        return await real_next(self)

    async def ask(house: Any) -> None:
        told = {path: await house.client.get(path) for path in ASKED}
        assert {one.status_code for one in told.values()} == {200}
        answers.append({path: one.json() for path, one in told.items()})

    monkeypatch.setattr(Inbox, "next", counted)
    forgotten(flow)
    in_house(ask, flow=flow, read=lambda live, flow: lived(flow, live))
    whole = read.total()
    forgotten(flow)
    lived(flow, new_live(flow), int(0.75 * len(flow.world.bus.journal)))
    read.clear()
    in_house(ask, flow=flow, read=lambda live, flow: lived(flow, live))
    assert answers[0] == answers[1]
    assert read.total() < whole / 2


def test_what_was_kept_of_another_log_or_can_t_be_read_is_not_gone_on_from(flow: Flow) -> None:
    forgotten(flow)
    lived(flow, new_live(flow))
    bucket = flow.world.snapshots
    ((key, entry),) = bucket.entries.items()
    for value in (b"", b"x" * 100, entry.value[:-20]):
        bucket.entries[key] = replace(entry, value=value)
        live = new_live(flow)
        lived(flow, live)
        assert live.decision == flow.decisions[-1]
    other = run_flow(generated_session(5, Shape(2, 2, 3, closes=30)))
    other.world.snapshots.entries[key] = entry
    live = new_live(other)
    lived(other, live)
    assert live.curve.closes == 30


def purged(flow: Flow) -> Standing:
    """The log without what is before its third chapter."""
    kept, bus, portfolio = list[Standing](), flow.world.bus, flow.session.portfolio

    async def purge(ports: Ports) -> None:
        found = await kept_chapter(bus, portfolio.run, portfolio.name, 2**62)
        assert found is not None
        await purge_log(bus, bus.purge, found, portfolio, {})
        kept.append(found)

    name = f"purge {next(LIVES)}"
    flow.world.add(name, lambda ports: Tasks([purge(ports)]))
    flow.world.run(until=[name])
    return kept[0]


def test_a_purged_log_is_gone_on_from_or_begun_with_its_oldest_chapter() -> None:
    session = generated_session(4, Shape(2, 2, 3, closes=150))
    flow = run_flow(session, closes_per_chapter=LENGTH)
    whole = new_live(flow)
    lived(flow, whole)
    oldest = purged(flow)
    assert oldest.carried is not None
    again = new_live(flow)
    lived(flow, again)
    assert known(again) == known(whole)
    forgotten(flow)
    late = new_live(flow)
    lived(flow, late)
    begins = oldest.carried.close_time
    assert late.curve.closes == sum(d.close_time > begins for d in flow.decisions)
    assert late.curve.value == whole.curve.value
    assert late.curve.points()[-1].drawdown == whole.curve.points()[-1].drawdown
    assert (late.decision, late.positions, late.state) == (
        whole.decision, whole.positions, "finished"
    )  # fmt: skip
    assert [row.number for row in late.chapters.rows] == [row.number for row in whole.chapters.rows]
    lots = {symbol: held.lots for symbol, held in late.account.holdings.items()}
    assert lots == {symbol: held.lots for symbol, held in whole.account.holdings.items()}
    for symbol, held in late.account.holdings.items():
        known_price = late.account.holding(symbol, held.lots)
        assert known_price in (None, whole.account.holding(symbol, held.lots))
