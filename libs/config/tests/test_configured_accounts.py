"""`accounts` in system.yaml: several accounts, and what is refused about them."""

from decimal import Decimal

import pytest

from stratvector.config import load_session
from stratvector.config.bad_config import BadConfig
from stratvector.config.configuration import hash_of, read_configuration
from stratvector.trading import replay
from tests.sessions.small_configuration import ConfigFolder

SYSTEM = "system.yaml"
ONE = ", account: simulated, backtest_initial_nav: 50000.00}"
TWO = """}
accounts:
  kraken: {initial_cash: 20000.00, universes: [coins]}
  ib_main: {initial_cash: 30000.00, universes: [stocks]}"""


def refusal(place: ConfigFolder, accounts: str) -> str:
    place.change(SYSTEM, ONE, accounts)
    with pytest.raises(BadConfig) as caught:
        load_session("config/system.yaml")
    return str(caught.value)


def test_each_universe_trades_at_its_account_and_the_first_account_leads(
    place: ConfigFolder,
) -> None:
    one = load_session("config/system.yaml")
    before = read_configuration("config/system.yaml").effective()
    assert "accounts" not in before
    place.change(SYSTEM, ONE, TWO)
    session = load_session("config/system.yaml")
    portfolio = session.portfolio
    assert portfolio.account_names == ("kraken", "ib_main")
    assert {u.name: u.account for u in portfolio.universes} == {
        "coins": "kraken",
        "stocks": "ib_main",
    }
    assert portfolio.initial_cash == Decimal("50000.00") == one.portfolio.initial_cash
    assert hash_of(read_configuration("config/system.yaml").effective()) != hash_of(before)
    # Universes are listed account by account, so sums of floats may differ in their last digits.
    equity = [replay.run(each).journal.equity[-1] for each in (one, session)]
    assert equity[0] == pytest.approx(equity[1], rel=1e-12)


@pytest.mark.parametrize(
    ("accounts", "sentence"),
    [
        (
            ", account: simulated" + TWO,
            "system.yaml: accounts stands beside account, which names the one account of a",
        ),
        (
            ", backtest_initial_nav: 50000.00" + TWO,
            "accounts stands beside backtest_initial_nav",
        ),
        (
            TWO.replace("[stocks]", "[stocks, coins]"),
            "accounts.ib_main.universes is 'coins'; it trades at account kraken already",
        ),
        (
            TWO.split("\n  ib_main")[0],
            "universe stocks trades at no account; list it under one of accounts: kraken",
        ),
        (TWO.replace("stocks", "stoks"), "no model of the portfolio trades it; did you mean stock"),
        (TWO.replace("[stocks]", "[]"), "accounts.ib_main.universes"),
        (TWO.replace("30000.00", "0"), "accounts.ib_main.initial_cash is 0"),
        (TWO.replace("ib_main", "ib.main"), "ib.main"),
        (TWO.replace("initial_cash: 3", "initial_csh: 3"), "did you mean initial_cash?"),
    ],
)
def test_accounts_that_say_no_one_thing_are_refused(
    place: ConfigFolder, accounts: str, sentence: str
) -> None:
    told = refusal(place, accounts)
    assert sentence in told
    assert "\n" not in told
