"""Lots that `manual` takes over from removed models, in the engine: at the mark, free of cost, to
the last lot, and under the same limits as every model's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.contracts.codecs import encode_ledger_entry
from stratvector.trading.explanation import explain
from stratvector.trading.portfolio import ModelAllocation, Portfolio, RiskLimits
from stratvector.trading.roles import MANUAL, SELL, Role
from stratvector.trading.session import Session
from tests.sessions.cap_breaches import cap_breaches
from tests.sessions.live_play import Played, play_live
from tests.sessions.scripted_sessions import Script, scripted_session
from tests.sessions.wild_sessions import wild_session


def without(portfolio: Portfolio, *names: str, **fates: str) -> Portfolio:
    """Models removed, and what becomes of what each holds: `manual` keeps it, unless told."""
    stay = tuple(one for one in portfolio.models if one.name not in names)
    kept = {**portfolio.on_removal, **dict.fromkeys(names, MANUAL), **fates}
    return replace(portfolio, models=stay, on_removal=kept)


def removals(session: Session, seed: int) -> dict[int, Portfolio]:
    """One model after the other is removed, all but one; some are sold, and so is `manual` once."""
    random, portfolio = np.random.default_rng(seed), session.portfolio
    found = dict[int, Portfolio]()
    for closes in sorted(random.choice(np.arange(1, 23), 4, replace=False).tolist()):
        if random.random() < 0.3:
            portfolio = without(portfolio, **{MANUAL: str(random.choice([SELL, MANUAL]))})
        elif len(portfolio.models) > 1:
            name = portfolio.models[int(random.integers(len(portfolio.models)))].name
            portfolio = without(
                portfolio, name, **{name: str(random.choice([SELL, *3 * [MANUAL]]))}
            )
        found[closes] = portfolio
    return found


def lots_of(played: Played, name: str) -> Iterator[Mapping[str, int]]:
    """Of a model after each close, from the one on which it is there first."""
    for entry in played.entries:
        yield from (one.positions for one in entry.models if one.model == name)


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10**9))
def test_whatever_is_removed_no_order_raises_an_exposure_above_its_cap(seed: int) -> None:
    session = wild_session(seed)
    played = play_live(session, wanted=removals(session, seed))
    assert cap_breaches(session, played.decisions, played.events) == []


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10**9))
def test_lots_and_money_add_up_whatever_is_removed(seed: int) -> None:
    session = wild_session(seed)
    cash = session.portfolio.initial_cash
    for entry in play_live(session, wanted=removals(session, seed)).entries:
        assert sum(one.cash for one in entry.models) == entry.cash - cash
        for symbol in session.portfolio.symbols:
            held = [one.positions.get(symbol, 0) for one in entry.models]
            assert sum(held) == entry.positions.get(symbol, 0)
        for order in entry.decision.orders:
            assert sum(order.parts) == order.lots
        for cross in entry.decision.crosses:
            assert sum(cross.parts) == 0
            assert any(cross.parts)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**9), closes_per_chapter=st.integers(1, 5))
def test_a_chapter_carries_all_that_is_kept(seed: int, closes_per_chapter: int) -> None:
    session = wild_session(seed)
    wanted = removals(session, seed)
    whole = play_live(session, wanted=wanted)
    chapters = play_live(session, closes_per_chapter=closes_per_chapter, wanted=wanted)
    assert repr(chapters.decisions) == repr(whole.decisions)
    assert list(map(encode_ledger_entry, chapters.entries)) == list(
        map(encode_ledger_entry, whole.entries)
    )


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10**9), closes=st.integers(1, 20))
def test_without_limits_what_is_kept_never_moves(seed: int, closes: int) -> None:
    """Whatever the prices do: a weight of it, taken times the equity, would lose a lot."""
    session = wild_session(seed)
    portfolio = replace(session.portfolio, limits=RiskLimits())
    session = replace(session, portfolio=portfolio)
    name = portfolio.models[0].name
    played = play_live(session, wanted={closes: without(portfolio, name)})
    given_up = dict[str, int]()
    for entry in played.entries[closes:]:
        names = [one.model for one in entry.models]
        place, giver = names.index(MANUAL), names.index(name)
        for cross in entry.decision.crosses:
            assert cross.parts[place] == -cross.parts[giver] or not cross.parts[place]
            if cross.parts[giver]:
                given_up[cross.symbol] = cross.parts[place]
        assert all(
            not order.parts[place] and not order.parts[giver] for order in entry.decision.orders
        )
        assert dict(entry.models[place].positions) == given_up


CLOSES = [10.0] * 12


def two_models() -> Session:
    """Two models that want half of the equity each, of one symbol at ten; 10,000 in cash."""
    weights = {"x": {"A": [0.5] * 12}, "y": {"A": [0.5] * 12}}
    return scripted_session(Script({"A": CLOSES}, weights))


def test_it_changes_hands_at_the_mark_and_free_of_cost() -> None:
    session = two_models()
    played = play_live(session, wanted={3: without(session.portfolio, "x")})
    (crossing,) = [one for one in played.decisions if one.crosses]
    (cross,) = crossing.crosses
    assert crossing is played.decisions[3]
    assert (cross.symbol, cross.price) == ("A", Decimal("10.00"))
    assert cross.parts == (0, -500, 500)  # of y, x and manual
    assert not any(one.orders for one in played.decisions[1:])
    last = {one.model: one for one in played.entries[-1].models}
    assert (last["x"].positions, last["x"].cash) == ({}, Decimal(0))
    assert (last[MANUAL].positions, last[MANUAL].cash) == ({"A": 500}, Decimal(-5_000))


def test_a_cap_cuts_it_as_every_model_and_gives_it_back() -> None:
    session = two_models()
    tight = replace(session.portfolio, limits=RiskLimits(symbol=0.8))
    played = play_live(
        session,
        wanted={
            3: without(session.portfolio, "x"),
            6: without(tight, "x"),
            9: without(session.portfolio, "x"),
        },
    )
    kept = [positions.get("A", 0) for positions in lots_of(played, MANUAL)]
    # From the fourth close on; an order is filled at the next one.
    assert kept == [500, 500, 500, 500, 400, 400, 400, 500, 500]


def test_manual_is_sold_when_the_document_says_so_and_wants_nothing_of_it_again() -> None:
    session = two_models()
    removed = without(session.portfolio, "x")
    played = play_live(
        session, wanted={3: removed, 5: without(removed, **{MANUAL: SELL}), 8: removed}
    )
    kept = [positions.get("A", 0) for positions in lots_of(played, MANUAL)]
    assert kept == [500, 500, 500, 0, 0, 0, 0, 0, 0]


def test_what_is_on_order_for_a_removed_model_is_kept_once_it_is_filled() -> None:
    session = two_models()
    played = play_live(session, wanted={1: without(session.portfolio, "x")})
    assert [order.parts for order in played.decisions[0].orders] == [(500, 500)]
    assert next(lots_of(played, MANUAL)) == {"A": 500}


def test_two_models_give_and_one_of_them_is_short() -> None:
    weights = {"x": {"A": [0.5] * 6}, "y": {"A": [-0.5] * 6}, "z": {"A": [0.1] * 6}}
    session = scripted_session(Script({"A": [10.0] * 6}, weights))
    played = play_live(session, wanted={3: without(session.portfolio, "x", "y")})
    (cross,) = played.decisions[3].crosses
    assert cross.parts == (0, -500, 500, 0)
    assert list(lots_of(played, MANUAL))[-1] == {}


def test_nobody_configures_a_model_of_that_name() -> None:
    portfolio = two_models().portfolio
    with pytest.raises(ValueError, match="a model is named manual"):
        replace(portfolio, models=(ModelAllocation(MANUAL, "fast", 0.5),))
    assert ModelAllocation(MANUAL, "", 0.0, Role.KEEPING) not in portfolio.models


def test_of_a_removed_model_one_of_two_things_becomes() -> None:
    portfolio = two_models().portfolio
    with pytest.raises(ValueError, match="on_removal of x is 'hold'; it must be sell or manual"):
        replace(portfolio, on_removal={"x": "hold"})


def test_an_explanation_tells_what_is_handed_over_and_kept() -> None:
    session = two_models()
    removed = without(session.portfolio, "x")
    entry = play_live(session, wanted={3: removed}).entries[3]
    there = ModelAllocation("x", "fast", 0.0, Role.GIVING)
    manual = ModelAllocation(MANUAL, "", 0.0, Role.KEEPING)
    portfolio = replace(removed, models=(*removed.models, there, manual))
    found = explain(portfolio, entry, "A")
    assert [(one.model, one.sentence) for one in found.models[1:]] == [
        ("x", "it was removed: what it holds is handed to manual"),
        (MANUAL, "it keeps what it was given, as far as the limits allow: 500 lots"),
    ]
    assert found.target_lots == found.held_lots == 1000
