"""Configurations as a whole: which files are one, and what their keys do together."""

from decimal import Decimal

import pytest

from stratvector.config import BadConfig, load_session, read_configuration
from tests.sessions.small_configuration import ConfigFolder

SYSTEM, MODELS, UNIVERSES = "system.yaml", "models.yaml", "universes.yaml"


def refusal(name: str = SYSTEM) -> str:
    with pytest.raises(BadConfig) as refused:
        load_session(f"config/{name}")
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (MODELS, "it describes models"),
        (UNIVERSES, "it describes universes"),
        ("risk/calm.yaml", "it is a risk profile"),
    ],
)
def test_a_file_of_another_kind_is_named_with_the_one_to_give(
    place: ConfigFolder, name: str, what: str
) -> None:
    (place.config / "risk").mkdir()
    (place.config / "risk" / "calm.yaml").write_text("max_leverage: 1.0\n")
    assert refusal(name) == (
        f"config/{name}: {what}; give the portfolio's file, such as "
        "--config config/system.yaml, which reads it"
    )


def test_a_folder_is_no_configuration(place: ConfigFolder) -> None:
    with pytest.raises(BadConfig, match=r"^config: it is a folder; give one with --config FILE$"):
        read_configuration("config")


def test_leverage_that_is_asked_for_lets_budgets_add_up_beyond_the_whole(
    place: ConfigFolder,
) -> None:
    place.change(SYSTEM, "budget_fraction: 0.4", "budget_fraction: 0.7")
    place.change(SYSTEM, "risk: {", "risk: {max_leverage: 1.2, ")
    assert "at least as much, which is 1.2" in refusal()
    place.change(SYSTEM, "max_leverage: 1.2", "max_leverage: 1.3")
    assert load_session("config/system.yaml").portfolio.limits.gross == 1.3


def test_strict_data_quality_refuses_what_is_a_caveat_otherwise(place: ConfigFolder) -> None:
    prices = place.folder / "prices.csv"
    rows = prices.read_text().splitlines()
    del rows[80]
    prices.write_text("\n".join(rows) + "\n")
    found = load_session("config/system.yaml").caveats
    assert [(each.code, each.subject) for each in found] == [("missing_bars", "AAA")]
    place.change(SYSTEM, "end: 2020-06-30", "end: 2020-06-30, data_quality: strict")
    strict = "universes.stocks from prices.csv: strict data quality is asked for, but AAA: 1 close"
    assert strict in refusal()


def test_nav_and_timeframe_may_stand_at_the_top(place: ConfigFolder) -> None:
    place.change(SYSTEM, ", backtest_initial_nav: 50000.00}", "}\nbacktest_initial_nav: 70000.00")
    assert load_session("config/system.yaml").portfolio.initial_cash == Decimal(70_000)


def test_a_universe_without_timeframe_takes_the_systems(place: ConfigFolder) -> None:
    place.change(UNIVERSES, "timeframe: 1D\n    calendar: 24/7", "calendar: 24/7")
    place.change(SYSTEM, "account: simulated", "account: simulated, timeframe: D1")
    universes = load_session("config/system.yaml").portfolio.universes
    assert {one.name: one.timeframe for one in universes} == {"stocks": "1D", "coins": "1D"}


def test_keys_beside_a_profile_take_the_profiles_place(place: ConfigFolder) -> None:
    (place.config / "risk").mkdir()
    profile = place.config / "risk" / "calm.yaml"
    profile.write_text("per_asset_cap: 0.10\nmax_leverage: 0.5\n")
    place.change(SYSTEM, "risk: {per_asset_cap: 0.40", "risk: {profile: calm, max_leverage: null")
    risk = read_configuration("config/system.yaml").risk
    assert (risk.per_asset_cap, risk.max_leverage) == (0.1, None)
    profile.write_text("stop_loss: 0.05")
    assert refusal().startswith("config/risk/calm.yaml: stop_loss is 0.05, but protective stops")
    profile.write_text("profile: other")
    assert "a profile can't build on another one" in refusal()


def test_what_becomes_of_removed_models_is_the_portfolios(place: ConfigFolder) -> None:
    place.change(SYSTEM, "costs: {", "on_removal: {old: manual, manual: sell}\ncosts: {")
    portfolio = load_session(place.config / SYSTEM).portfolio
    assert portfolio.on_removal == {"old": "manual", "manual": "sell"}
