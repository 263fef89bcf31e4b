"""Configurations as a whole: which files are one, and what their keys do together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

SYSTEM, MODELS, UNIVERSES = "system.yaml", "models.yaml", "universes.yaml"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (MODELS, "it describes models"),
        (UNIVERSES, "it describes universes"),
        ("risk/calm.yaml", "it is a risk profile"),
    ],
)
def test_a_file_of_another_kind_is_named_with_the_one_to_give(
    place: Place, name: str, what: str
) -> None:
    (place.config / "risk").mkdir()
    (place.config / "risk" / "calm.yaml").write_text("max_leverage: 1.0\n")
    run = place.run("backtest", "run", "--config", f"config/{name}")
    assert run.exit_code == 1
    assert f"config/{name}: {what}; give the portfolio's file, such as --config" in run.stderr
    assert "--config config/system.yaml, which reads it" in run.stderr


def test_a_folder_is_no_configuration(place: Place) -> None:
    run = place.run("backtest", "run", "--config", "config")
    assert run.exit_code == 1
    assert "config: it is a folder; give one with --config FILE" in run.stderr


def test_leverage_that_is_asked_for_lets_budgets_add_up_beyond_the_whole(place: Place) -> None:
    place.change(SYSTEM, "budget_fraction: 0.4", "budget_fraction: 0.7")
    place.change(SYSTEM, "risk: {", "risk: {max_leverage: 1.2, ")
    assert "at least as much, which is 1.2" in place.backtest().stderr
    place.change(SYSTEM, "max_leverage: 1.2", "max_leverage: 1.3")
    assert place.backtest().exit_code == 0


def test_strict_data_quality_refuses_what_is_a_caveat_otherwise(place: Place) -> None:
    prices = place.folder / "prices.csv"
    rows = prices.read_text().splitlines()
    del rows[80]
    prices.write_text("\n".join(rows) + "\n")
    found = json.loads(place.backtest("--json").stdout)["caveats"]
    assert [(each["code"], each["subject"]) for each in found] == [("missing_bars", "AAA")]
    place.change(SYSTEM, "end: 2020-06-30", "end: 2020-06-30, data_quality: strict")
    run = place.backtest()
    assert run.exit_code == 1
    assert (
        "universes.stocks from prices.csv: strict data quality is asked for, but AAA: 1 close"
        in (run.stderr)
    )


def test_nav_and_timeframe_may_stand_at_the_top(place: Place) -> None:
    place.change(SYSTEM, ", backtest_initial_nav: 50000.00}", "}\nbacktest_initial_nav: 70000.00")
    assert '"initial_equity": 70000.0' in place.backtest("--json").stdout


def test_a_universe_without_timeframe_takes_the_systems(place: Place) -> None:
    place.change(UNIVERSES, "timeframe: 1D\n    calendar: 24/7", "calendar: 24/7")
    place.change(SYSTEM, "account: simulated", "account: simulated, timeframe: D1")
    assert '"timeframe": "D1"' in place.backtest("--json").stdout


def test_keys_beside_a_profile_take_the_profiles_place(place: Place) -> None:
    (place.config / "risk").mkdir()
    profile = place.config / "risk" / "calm.yaml"
    profile.write_text("per_asset_cap: 0.10\nmax_leverage: 0.5\n")
    place.change(SYSTEM, "risk: {per_asset_cap: 0.40", "risk: {profile: calm, max_leverage: null")
    run = place.backtest("--json")
    assert '"per_asset_cap": 0.1' in run.stdout
    assert '"max_leverage": null' in run.stdout
    profile.write_text("stop_loss: 0.05")
    assert "config/risk/calm.yaml: stop_loss is 0.05, but protective stops" in (
        place.backtest().stderr
    )
    profile.write_text("profile: other")
    assert "a profile can't build on another one" in place.backtest().stderr
