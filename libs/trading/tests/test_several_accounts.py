"""Portfolios of several accounts: what is refused, and whose cash pays for what."""

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.portfolio import Account, Costs, Portfolio, RiskLimits
from tests.sessions.generated_sessions import over_accounts
from tests.sessions.live_play import play_live
from tests.sessions.scripted_sessions import Script, scripted_session
from tests.sessions.wild_sessions import wild_session

COSTS = Costs(commission=0.001, slippage=0.0005)
SCRIPT = Script(
    closes={"A": [10.0] * 4, "B": [10.0] * 4},
    weights={"one": {"A": [0.5] * 4}, "other": {"B": [0.5] * 4}},
    limits=RiskLimits(cash="strict", cash_collar=0.05),
    costs=COSTS,
    slow=("B",),
)
PORTFOLIO = over_accounts(scripted_session(SCRIPT), 2).portfolio


def placed(*names: str) -> Callable[[Portfolio], Portfolio]:
    """Its universes at these accounts, one after the other."""

    def change(portfolio: Portfolio) -> Portfolio:
        pairs = zip(portfolio.universes, names, strict=True)
        universes = tuple(replace(universe, account=name) for universe, name in pairs)
        return replace(portfolio, universes=universes)

    return change


def with_accounts(*accounts: tuple[str, str]) -> Callable[[Portfolio], Portfolio]:
    def change(portfolio: Portfolio) -> Portfolio:
        made = tuple(Account(name, Decimal(cash)) for name, cash in accounts)
        return replace(portfolio, accounts=made)

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (with_accounts(), "portfolio scripted has no account; it needs one or more"),
        (with_accounts(("a.b", "1")), "account 'a.b' has another name than letters, digits, _ and"),
        (with_accounts(("", "1")), "account '' has another name"),
        (with_accounts(("a", "0")), "initial_cash is 0; it must be above 0"),
        (with_accounts(("a", "NaN")), "initial_cash is NaN; it must be finite"),
        (placed("account_0", "account_2"), "universe slow trades at account 'account_2'; the port"),
        (placed("account_0", ""), "universe slow trades at account ''; the portfolio has"),
        (placed("account_0", "account_0"), "no universe trades at account 'account_1' of portfoli"),
        (placed("account_1", "account_0"), "another order than their accounts; list them account"),
        (
            with_accounts(("account_0", "1"), ("account_0", "1"), ("account_1", "1")),
            "account 'account_0' is configured twice in portfolio scripted",
        ),
    ],
)
def test_bad_accounts_are_refused_in_one_sentence(
    change: Callable[[Portfolio], Portfolio], sentence: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        change(PORTFOLIO)


def test_a_universe_of_one_account_need_not_name_it() -> None:
    portfolio = scripted_session(SCRIPT).portfolio
    (account,) = portfolio.account_names
    assert {universe.account for universe in portfolio.universes} == {account}
    assert portfolio.account_of == {"A": account, "B": account}
    assert portfolio.initial_cash == portfolio.accounts[0].initial_cash


def test_a_buy_is_cut_to_the_cash_of_its_own_account() -> None:
    """Half of 10,000 is wanted in each symbol; the account of A has 1,000."""
    session = scripted_session(SCRIPT)
    accounts = (Account("small", Decimal(1_000)), Account("large", Decimal(9_000)))
    pairs = zip(session.portfolio.universes, accounts, strict=True)
    named = [replace(universe, account=account.name) for universe, account in pairs]
    portfolio = replace(session.portfolio, accounts=accounts, universes=tuple(named))
    first = replay.run(replace(session, portfolio=portfolio)).decisions[0]
    lots = {order.symbol: order.lots for order in first.orders}
    assert lots["A"] == int(1_000 / (10.0 * 1.05 * 1.001))
    alone = replay.run(session).decisions[0]
    wanted = {order.symbol: order.lots for order in alone.orders}
    assert wanted["A"] == int(5_000 / (10.0 * 1.05 * 1.001))


@settings(max_examples=40)
@given(st.integers(0, 2**31))
def test_no_account_goes_below_zero_and_all_add_up_to_the_whole(seed: int) -> None:
    """Backtest, and the services' folds beside it; the smaller account has a twentieth."""
    session = wild_session(seed)
    assume(len(session.portfolio.universes) == 2)
    several = over_accounts(session, 2, strict=True)
    played, outcome = play_live(several), replay.run(several)
    assert [d.orders for d in played.decisions] == [d.orders for d in outcome.decisions]
    assert [d.equity for d in played.decisions] == outcome.journal.equity.tolist()
    for entry in played.entries:
        assert min(entry.accounts.values()) >= 0
        assert sum(entry.accounts.values(), Decimal(0)) == entry.cash


@settings(max_examples=25)
@given(st.integers(0, 2**31))
def test_where_cash_may_be_borrowed_accounts_change_no_bit(seed: int) -> None:
    session = wild_session(seed)
    assume(len(session.portfolio.universes) == 2)
    limits = replace(session.portfolio.limits, cash="margin")
    one = replace(session, portfolio=replace(session.portfolio, limits=limits))
    alone, several = replay.run(one).journal, replay.run(over_accounts(one, 2)).journal
    assert several.equity.tolist() == alone.equity.tolist()
    assert several.order_lots.tolist() == alone.order_lots.tolist()
    assert several.cash.tolist() == alone.cash.tolist()
