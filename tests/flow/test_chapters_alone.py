"""Each chapter of a log on its own: it says what the whole log says, equal or not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stratvector.runtime.ports import Kind
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.carried import Carried
from stratvector.trading.carrying import Carrying
from stratvector.trading.parity import Difference, Parity, check
from tests.flow.test_log_parity import CODECS, planted
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.later_readers import assert_archive_is_proven
from tests.sessions.rewritten_log import Change, as_stored, chapters_of, log_of, rewritten
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

SHAPE = Shape(universes=2, symbols=2, models=2, closes=24, warmup=3)
CLOSES = 5
REAL_CARRIED = Carrying.carried


@pytest.fixture(scope="module")
def flow() -> Flow:
    """A calm run in which orders are filled, over some chapters."""
    flow = run_flow(generated_session(8, SHAPE), closes_per_chapter=CLOSES)
    assert len(flow.openings) >= 4
    assert sum(len(decision.orders) for decision in flow.decisions) > 10
    return flow


def both(flow: Flow, change: Change = as_stored) -> tuple[Parity, list[Parity]]:
    """What the whole log says, and each of its chapters."""
    bus = rewritten(flow.world.bus.journal, change)
    alone = [check(log, flow.session) for _, log in chapters_of(bus, flow.session.portfolio)]
    return check(log_of(bus, flow.session), flow.session), alone


def first_of(parts: list[Parity]) -> tuple[int, Difference]:
    """The number of the first chapter that differs, and how."""
    return next((n, one.first) for n, one in enumerate(parts, 1) if one.first is not None)


def test_they_have_the_same_closes_orders_and_fills(flow: Flow) -> None:
    whole, alone = both(flow)
    assert whole.is_equal
    assert all(one.is_equal for one in alone)
    for what in ("closes", "orders", "fills"):
        assert getattr(whole, what) == sum(getattr(one, what) for one in alone)
    assert [one.by_chapter[0] for one in alone] == list(whole.by_chapter)


def more_lots(decision: Any) -> Any:
    (order, *others), more = decision.orders, 1 if decision.orders[0].lots > 0 else -1
    model = next(n for n, part in enumerate(order.parts) if part)
    parts = tuple(part + more * (n == model) for n, part in enumerate(order.parts))
    orders = (replace(order, lots=order.lots + more, parts=parts), *others)
    return replace(decision, orders=orders)


def other_weight(signals: Any) -> Any:
    (row, *others) = signals.rows
    return replace(signals, rows=(replace(row, weight=row.weight + 2.0**-20), *others))


def other_price(report: Any) -> Any:
    events = [
        replace(event, price=event.price * 2) if event.price else event for event in report.events
    ]
    return replace(report, events=tuple(events))


EDITS: dict[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "orders": (lambda one: bool(one.orders), more_lots),
    "signals": (lambda one: one.rows[0].weight == one.rows[0].weight, other_weight),
    "fills": (lambda one: any(event.price for event in one.events), other_price),
    "positions": (lambda one: True, lambda one: replace(one, cash=one.cash + 1)),
}


@pytest.mark.parametrize("part", [0.0, 0.4, 0.8])
@pytest.mark.parametrize("noun", EDITS)
def test_what_differs_in_the_whole_log_differs_in_its_chapter_first(
    flow: Flow, noun: str, part: float
) -> None:
    choose, edit = EDITS[noun]
    decode, nouns = CODECS[noun][0], (one.message for one in flow.world.bus.journal)
    stored = [one for one in nouns if one.subject.startswith(noun) and one.kind is Kind.CONTENT]
    fitting = [repr(one) for one in map(decode, [s.payload for s in stored]) if choose(one)]
    if noun == "signals":
        # What was said ahead of a chapter's end is said again in the next one, and counts there.
        used = {repr(one) for entry in flow.entries for one in entry.signals}
        fitting = [one for one in fitting if one in used]
    chosen = fitting[int(part * len(fitting))]
    change = planted(noun, lambda one: repr(one) == chosen, edit)
    bus = rewritten(flow.world.bus.journal, change)
    whole = check(log_of(bus, flow.session), flow.session).first
    parts = [check(log, flow.session) for _, log in chapters_of(bus, flow.session.portfolio)]
    assert whole is not None
    number, alone = first_of(parts)
    assert (alone.noun, alone.close_time, alone.subject, alone.what, alone.logged) == (
        whole.noun,
        whole.close_time,
        whole.subject,
        whole.what,
        whole.logged,
    )
    assert all(one.is_equal for one in parts[: number - 1])


def test_a_chapter_that_hands_over_another_number_is_caught_where_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planted: the peak that a chapter carries is one bit off."""

    def off(self: Carrying, *parts: Any) -> Carried:
        carried = REAL_CARRIED(self, *parts)
        return replace(carried, peak=float(np.nextafter(carried.peak, np.inf)))

    with monkeypatch.context() as during:
        during.setattr(Carrying, "carried", off)
        flow = run_flow(generated_session(8, SHAPE), closes_per_chapter=CLOSES)
    _, alone = both(flow)
    number, first = first_of(alone)
    assert number == 1
    assert (first.noun, first.what) == ("chapters", "carried.peak")


@pytest.mark.parametrize("closes", [1, 2, 3])
def test_universes_of_which_no_bars_were_used_yet_are_in_the_files(
    closes: int, tmp_path: Path
) -> None:
    """A slow universe closes for the first time when some chapters are over already."""
    session = generated_session(5, Shape(universes=2, symbols=1, models=3, closes=16, warmup=0))
    histories = dict(session.histories)
    name = max(histories, key=lambda one: -len(histories[one].bars))
    bars, opened = histories[name].bars, histories[name].open_times
    histories[name] = replace(
        histories[name], bars=bars.window(2, len(bars)), open_times=opened[2:]
    )
    session = replace(session, histories=histories)
    flow = run_flow(session, 1, Faults.stormy(), closes_per_chapter=closes)
    assert breaches_of(flow) == []
    assert bars.close_times[2] > flow.decisions[closes - 1].close_time
    assert_archive_is_proven(flow, tmp_path)


def test_a_history_that_is_longer_than_a_chapter_is_carried_along(tmp_path: Path) -> None:
    session = generated_session(3, SHAPE)
    longest = max(one.history for one in session.strategies.values())
    flow = run_flow(session, 2, closes_per_chapter=max(1, longest // 2))
    assert longest > 1
    assert_archive_is_proven(flow, tmp_path)
