"""Symbols that are removed while a portfolio runs: what is held of them is sold, then they go."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from stratvector.runtime.chapter_changes import OtherChapter, refuse_wish, toward
from stratvector.runtime.chapters import portfolio_in
from stratvector.runtime.documents import wish_of
from stratvector.runtime.session_document import BadSession
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.bars import FIELDS, Bars
from stratvector.trading.logged import LoggedChapter
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import with_symbol, without_symbol
from tests.sessions.generated_sessions import generated_session
from tests.sessions.late_flow import (
    DEADLINE_SECONDS,
    make_late_from_chapter_two,
    paper_session,
)
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, run_flow
from tests.sessions.symbol_flow import NEW, SHAPE, SLOW, STEPS, applied, crashed, traded

HELD_SECONDS = 1.2  # by then the symbol is held


@lru_cache
def lost_of(session: Session) -> str:
    """The symbol of the first model's universe that is held at most closes."""
    held = Counter[str]()
    for entry in run_flow(session, 3, SLOW).entries:
        held.update(entry.positions)
    return max(session.portfolio.universe(traded(session)).symbols, key=held.__getitem__)


def fewer(session: Session) -> Session:
    return without_symbol(session, lost_of(session))


def chapters_of(flow: Flow) -> Sequence[LoggedChapter]:
    return log_of(flow.world.bus, flow.session).chapters


def closing_in(flow: Flow) -> list[tuple[str, ...]]:
    """By chapter after the first one."""
    return [one.portfolio.closing_symbols for one in chapters_of(flow)]


def begins(flow: Flow) -> list[int]:
    return [one.close_time for one in flow.openings]


def test_a_held_symbol_is_sold_at_the_next_bars_and_then_goes_by_itself() -> None:
    session = generated_session(3, SHAPE)
    lost = lost_of(session)
    flow = applied(session, [fewer(session)], HELD_SECONDS)
    calm = run_flow(session, 3, SLOW)
    assert breaches_in_the_log(flow) == []
    assert closing_in(flow) == [(lost,), ()]
    sold, gone = chapters_of(flow)
    assert sold.portfolio.symbols == session.portfolio.symbols
    assert lost not in gone.portfolio.symbols
    versions = [one.portfolio.universe(traded(session)).version for one in (sold, gone)]
    assert versions == [1, 2]
    first, second = begins(flow)
    before = {entry.close_time: entry.positions.get(lost, 0) for entry in flow.entries}
    assert before[first]
    assert not any(lots for close, lots in before.items() if close >= second)
    # The models go on with their memory, the symbol's column included, until it has gone.
    said = [
        [(s.close_time, s.model, s.rows, s.state) for e in one.entries for s in e.signals]
        for one in (flow, calm)
    ]
    assert [one for one in said[0] if one[0] <= second] == [
        one for one in said[1] if one[0] <= second
    ]
    assert gone.noun.document == wish_of(fewer(session), "ada", 1).document
    assert (sold.noun.applied_by, gone.noun.applied_by) == ("ada", "ada")


def test_what_is_not_held_goes_at_the_next_chapter() -> None:
    session = generated_session(3, SHAPE)
    idle = tuple(replace(one, budget_fraction=0.0) for one in session.portfolio.models)
    session = replace(session, portfolio=replace(session.portfolio, models=idle))
    flow = applied(session, [fewer(session)])
    assert breaches_in_the_log(flow) == []
    assert closing_in(flow) == [()]
    assert lost_of(session) not in chapters_of(flow)[0].portfolio.symbols


def test_a_symbol_without_bars_stays_until_the_end_and_others_trade_on() -> None:
    """Its sale can't fill; the drawdown of others changes nothing about that."""
    session = generated_session(3, SHAPE)
    lost = lost_of(session)
    mute = _without_bars_once_it_closes(session, lost)
    flow = applied(mute, [without_symbol(mute, lost)], HELD_SECONDS)
    assert breaches_in_the_log(flow) == []
    assert closing_in(flow) == [(lost,)]
    (at,) = begins(flow)
    assert len({e.positions[lost] for e in flow.entries if e.close_time >= at}) == 1
    ordered = {one.symbol for d in flow.decisions if d.close_time > at for one in d.orders}
    assert ordered


def test_late_signals_do_not_keep_what_is_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three closes without signals keep the targets before, of all other symbols."""
    session = paper_session(3, SHAPE)
    less = fewer(session)
    make_late_from_chapter_two(monkeypatch)
    told = {"signals_deadline_seconds": DEADLINE_SECONDS}
    flow = applied(session, [less], HELD_SECONDS, **told)
    assert breaches_in_the_log(flow) == []
    assert closing_in(flow)[0] == (lost_of(session),)
    first = begins(flow)[0]
    after = [
        e for e in flow.entries if e.close_time > first and traded(session) in e.decision.cut.bars
    ]
    assert after[0].decision.cut.is_late(session.portfolio.models[0].name)
    assert [o.symbol for o in after[0].decision.orders] == [lost_of(session)]
    assert lost_of(session) not in flow.entries[-1].positions


def test_a_drawdown_halt_meanwhile_sells_it_too() -> None:
    session = generated_session(3, SHAPE)
    less = fewer(session)
    limits = RiskLimits(drawdown_halt=0.000_001)
    less = replace(less, portfolio=replace(less.portfolio, limits=limits))
    flow = applied(session, [less], HELD_SECONDS)
    assert breaches_in_the_log(flow) == []
    assert closing_in(flow) == [(lost_of(session),), ()]
    assert flow.decisions[-1].halted


@pytest.mark.parametrize("closes_per_chapter", [1, 2, 3])
def test_it_goes_also_where_chapters_end_by_themselves(closes_per_chapter: int) -> None:
    session = generated_session(3, SHAPE)
    flow = applied(session, [fewer(session)], HELD_SECONDS, closes_per_chapter=closes_per_chapter)
    assert breaches_in_the_log(flow) == []
    found = closing_in(flow)
    assert (lost_of(session),) in found
    assert lost_of(session) not in chapters_of(flow)[-1].portfolio.symbols


def test_another_document_meanwhile_holds_beside_it() -> None:
    """Wished while a symbol is sold: its limits hold at once, and the symbol still goes."""
    session = generated_session(3, SHAPE)
    less = fewer(session)
    tight = replace(less, portfolio=replace(less.portfolio, limits=RiskLimits(gross=0.3)))
    for pause in (0.3, 0.6, 0.9):
        flow = applied(session, [less, tight], pause)
        assert breaches_in_the_log(flow) == []
        last = chapters_of(flow)[-1].portfolio
        assert (last.limits.gross, lost_of(session) in last.symbols) == (0.3, False)


def test_who_wants_it_again_while_it_is_held_keeps_its_version() -> None:
    session = generated_session(3, SHAPE)
    lost, name = lost_of(session), traded(session)
    mute = _without_bars_once_it_closes(session, lost)
    flow = applied(mute, [without_symbol(mute, lost), mute], HELD_SECONDS)
    assert breaches_in_the_log(flow) == []
    assert closing_in(flow) == [(lost,), ()]
    assert chapters_of(flow)[-1].portfolio.universe(name).version == 1
    assert chapters_of(flow)[-1].noun.document == wish_of(mute, "ada", 2).document


def _without_bars_once_it_closes(session: Session, lost: str) -> Session:
    """From the close on at which the symbol would be sold."""
    at = begins(applied(session, [fewer(session)], HELD_SECONDS))[0]
    name = traded(session)
    bars = session.histories[name].bars
    silent = (bars.close_times > at)[:, None] & (np.array(bars.symbols) == lost)
    values = {one: np.where(silent, np.nan, getattr(bars, one)) for one in FIELDS}
    history = replace(session.histories[name], bars=Bars(bars.symbols, bars.close_times, **values))
    return replace(session, histories={**session.histories, name: history})


def test_one_that_comes_back_is_an_added_one() -> None:
    session = generated_session(3, SHAPE)
    flow = applied(session, [fewer(session), session], HELD_SECONDS)
    assert breaches_in_the_log(flow) == []
    last = chapters_of(flow)[-1]
    assert last.portfolio.universe(traded(session)).version == 3
    assert last.portfolio.symbols == session.portfolio.symbols
    lost, again = lost_of(session), begins(flow)[-1]
    bought = [
        one
        for d in flow.decisions
        if d.close_time > again
        for one in d.orders
        if one.symbol == lost
    ]
    assert bought


def test_a_symbol_is_added_when_the_held_one_has_gone() -> None:
    """A universe changes its list once: what it gains waits for what it loses."""
    session = generated_session(3, SHAPE)
    flow = applied(session, [with_symbol(fewer(session), traded(session), NEW, 0)], HELD_SECONDS)
    assert breaches_in_the_log(flow) == []
    sold, gone = chapters_of(flow)
    assert (NEW in sold.portfolio.symbols, NEW in gone.portfolio.symbols) == (False, True)
    assert closing_in(flow) == [(lost_of(session),), ()]


@pytest.mark.parametrize(("service", "effect"), STEPS)
def test_a_crash_at_every_step_of_a_symbol_that_goes_changes_nothing(
    service: str, effect: str, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    session = generated_session(1, replace(SHAPE, closes=16))
    lost = lost_of(session)
    flows = crashed(session, fewer(session), service, effect, request)
    gone = [lost not in chapters_of(flow)[-1].portfolio.symbols for flow in flows]
    say(f"crashes of {service} at {effect}, a symbol goes: {sum(gone)} of {len(gone)} without it")
    assert any(gone)


def test_what_may_not_be_removed_is_refused_in_one_sentence() -> None:
    session = generated_session(3, SHAPE)
    name, lost = traded(session), lost_of(session)
    other = next(u.name for u in session.portfolio.universes if u.name != name)
    none = with_symbol(session, name, NEW)
    for symbol in session.portfolio.universe(name).symbols:
        none = without_symbol(none, symbol)
    moved = with_symbol(without_symbol(session, lost), other, lost)
    for wanted, why in (
        (none, f"universe {name} keeps none of its symbols"),
        (moved, f"symbol {lost} of universe {name} is in {other} now"),
    ):
        chapters = [wish_of(one, "ada", 1).chapter() for one in (session, wanted)]
        with pytest.raises(OtherChapter, match=why) as refused:
            refuse_wish(*chapters)
        assert "\n" not in str(refused.value)


def test_no_document_says_what_is_closing() -> None:
    """And what a wish says of it beside its document is not believed."""
    session = generated_session(3, SHAPE)
    wish, lost = wish_of(session, "mallory", 1), lost_of(session)
    document = json.loads(wish.document)
    document["portfolio"]["universes"][0]["closing"] = [lost]
    with pytest.raises(BadSession, match="has closing symbols; leave them out instead"):
        _ = replace(wish, document=json.dumps(document)).session().portfolio
    tight = replace(session, portfolio=replace(session.portfolio, limits=RiskLimits(gross=0.3)))
    wanted = wish_of(tight, "mallory", 1).chapter()
    bars = tuple(replace(one, closing=(lost,)) for one in wanted.bars)
    found = toward(wish.chapter(), replace(wanted, bars=bars), {lost})
    assert [one.closing for one in found.bars] == [(), ()]


def test_terms_of_a_symbol_that_is_closing_stay_what_they_are() -> None:
    session = generated_session(3, SHAPE)
    name, lost = traded(session), lost_of(session)
    standing, wanted = (wish_of(one, "ada", 1).chapter() for one in (session, fewer(session)))
    closing = toward(standing, wanted, {lost})
    universes = tuple(
        replace(u, instruments=tuple(replace(i, price_precision=9) for i in u.instruments))
        if u.name == name
        else u
        for u in session.portfolio.universes
    )
    dear = replace(session, portfolio=replace(session.portfolio, universes=universes))
    with pytest.raises(OtherChapter, match="price_precision differs"):
        refuse_wish(closing, wish_of(dear, "ada", 2).chapter())


# Planted bugs, each of which some invariant catches.


def _caught(what: str, say: Callable[[str], None]) -> None:
    from stratvector.runtime.simulation.world import SimulationError

    session = generated_session(3, SHAPE)
    try:
        broken = breaches_in_the_log(applied(session, [fewer(session)], HELD_SECONDS))
    except SimulationError as error:
        broken = [str(error).splitlines()[0]]
    say(f"planted: {what}, caught: {broken[0] if broken else None}")
    assert broken


def test_a_symbol_that_goes_while_it_is_held_is_refused_by_who_must_load_the_chapter(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """The planted bug: risk proposes a chapter that carries lots of a symbol it does not have."""
    from stratvector.services.risk import wish_watch

    monkeypatch.setattr(wish_watch, "toward", lambda standing, wanted, held: wanted)
    session = generated_session(3, SHAPE)
    flow = applied(session, [fewer(session)], HELD_SECONDS)
    (chapter,) = chapters_of(flow)
    say(f"planted: a symbol that goes while it is held, caught: {chapter.portfolio.symbols} stay")
    assert chapter.portfolio.symbols == session.portfolio.symbols
    wanted = replace(wish_of(fewer(session), "ada", 1).chapter(), carried=chapter.noun.carried)
    with pytest.raises(BadSession, match=f"{lost_of(session)} is held or ordered"):
        _ = portfolio_in(wanted)


def test_a_new_lot_of_a_closing_symbol_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    real = PortfolioAccount._fill_weights

    def fill(self: PortfolioAccount, signals):  # type: ignore[no-untyped-def]
        self._closing = []
        real(self, signals)

    monkeypatch.setattr(PortfolioAccount, "_fill_weights", fill)
    _caught("a new lot of a closing symbol", say)


def test_carried_rows_by_their_place_are_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    from stratvector.trading import account, carrying

    def by_place(portfolio, carried, book, plan):  # type: ignore[no-untyped-def]
        pairs = zip(portfolio.symbols, carried.symbols, strict=False)
        rows = tuple(replace(one, symbol=symbol) for symbol, one in pairs)
        carrying.begin_book(portfolio, replace(carried, symbols=rows), book, plan)

    monkeypatch.setattr(account, "begin_book", by_place)
    _caught("carried rows by their place after a column went", say)
