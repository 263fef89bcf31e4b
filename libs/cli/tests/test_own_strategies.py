"""A strategy of one's own through the commands, and the code that a document brings."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from stratvector.config import read_configuration, session_of
from stratvector.runtime.chapter_changes import renewed_models
from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.document_code import permit
from stratvector.runtime.session_document import BadSession, SessionDocument, canonical, document_of

if TYPE_CHECKING:
    from pathlib import Path

    from libs.cli.tests.conftest import Place

TREND = """
from stratvector.strategies import strategy

@strategy(history="window")
def trend(bars, window=5):
    return (bars.close > bars.indicators.sma(window)) / len(bars.symbols)
"""
LEAK = TREND.replace("    return", "    bars.close[0]\n    import numpy as np\n    return").replace(
    "bars.close >", "np.roll(bars.close, -1, axis=0) >"
)


def with_own(place: Place, text: str = TREND, strategy: str = "own/trend.py:trend") -> None:
    """The coins are traded by a file that lies beside the configuration."""
    (place.config / "own").mkdir(exist_ok=True)
    (place.config / "own" / "trend.py").write_text(text)
    if "my_trend" not in (place.config / "models.yaml").read_text():
        place.change(
            "models.yaml", "  CryptoMomentumModel_v1:", f"  my_trend:\n    strategy: {strategy}"
        )
        place.change(
            "models.yaml", "{short_lookback: 3, long_lookback: 8, rebalance_days: 2}", "{window: 4}"
        )
        place.change(
            "system.yaml", 'name: CryptoMomentumModel_v1, version: "1.0.0"', "name: my_trend"
        )


def config_of(place: Place) -> dict[str, Any]:
    newest = max(place.results(), key=lambda one: one.stat().st_mtime_ns)
    config: dict[str, Any] = json.loads((newest / "result.json").read_text())["config"]
    return config


def test_a_file_of_ones_own_is_backtested_and_its_source_recorded(place: Place) -> None:
    with_own(place)
    first = place.backtest()
    assert first.exit_code == 0, first.stderr
    assert "my_trend" in first.stdout
    before = next(one for one in config_of(place)["models"] if one["name"] == "my_trend")
    with_own(place, TREND.replace("window=5", "window=6"))
    assert place.backtest().exit_code == 0
    after = next(one for one in config_of(place)["models"] if one["name"] == "my_trend")
    assert before["strategy"] == after["strategy"] == "own/trend.py:trend"
    assert len(before["source"]) == 16
    assert before["source"] != after["source"]
    first_run, second_run = (one.name.rpartition("-")[0] for one in place.results())
    assert first_run != second_run


def test_a_house_models_configuration_says_nothing_of_sources(place: Place) -> None:
    assert place.backtest().exit_code == 0
    assert not {"strategy", "source"} & config_of(place)["models"][0].keys()


def test_a_leak_ends_a_backtest_before_it_runs(place: Place) -> None:
    with_own(place, LEAK)
    run = place.backtest()
    assert run.exit_code == 1
    assert "trend looks ahead: feature 0 of CCC-USD at close" in run.stderr
    assert not (place.folder / "results").exists()


def test_services_trade_what_the_document_brings(place: Place) -> None:
    with_own(place)
    run = place.up()
    assert run.exit_code == 0, run.stderr
    assert "my_trend" in run.stdout


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        ("own/none.py", "models.yaml: models.my_trend: own/none.py: there is no such file"),
        ("own/trend.py:tred", "own/trend.py: it defines no 'tred'; did you mean trend?"),
        ("no_such_package:Trend", "no_such_package: the module can't be imported"),
    ],
)
def test_a_configured_reference_that_leads_nowhere_is_told(
    place: Place, strategy: str, sentence: str
) -> None:
    with_own(place, strategy=strategy)
    run = place.backtest()
    assert run.exit_code == 1
    assert sentence in run.stderr


def test_a_registered_models_name_is_not_given_to_another_strategy(place: Place) -> None:
    with_own(place)
    place.change(
        "models.yaml", "EquityTrendModel_v1:", "EquityTrendModel_v1:\n    strategy: own/trend.py"
    )
    run = place.backtest()
    assert run.exit_code == 1
    assert "EquityTrendModel_v1 is a registered model; name yours otherwise" in run.stderr


def document(place: Place) -> dict[str, Any]:
    return document_of(session_of(read_configuration(place.config / "system.yaml")))


def test_a_changed_file_is_a_new_version_of_its_model(place: Place) -> None:
    with_own(place)
    before = first_chapter(session_of(read_configuration(place.config / "system.yaml")))
    with_own(place, TREND + "\n# another version\n")
    after = first_chapter(session_of(read_configuration(place.config / "system.yaml")))
    assert renewed_models(before, after) == ("my_trend",)


READ = """
import sys
from stratvector.runtime.document_code import permit
from stratvector.runtime.session_document import SessionDocument
if sys.argv[2] == "permit":
    permit()
read = SessionDocument.parsed("document", open(sys.argv[1]).read())
print(read.strategy("my_trend"), list(read.other_sources()))
"""


def test_another_process_runs_the_code_only_where_its_operator_says_so(place: Place) -> None:
    with_own(place)
    path = place.folder / "document.json"
    path.write_text(canonical(document(place)))
    (place.config / "own" / "trend.py").unlink()
    command = [sys.executable, "-c", READ, str(path)]
    allowed = subprocess.run([*command, "permit"], capture_output=True, text=True, check=False)
    assert "trend(bars_per_day=1, window=4) []" in allowed.stdout, allowed.stderr
    refused = subprocess.run([*command, "no"], capture_output=True, text=True, check=False)
    assert "BadSession: document: strategies.my_trend: the document brings the code of" in (
        refused.stderr
    )
    assert "set own_strategies of the strategy service" in refused.stderr


def test_code_that_is_not_what_the_document_says_is_told(place: Place) -> None:
    with_own(place)
    changed = document(place)
    changed["strategies"]["my_trend"]["code"]["text"] += "\n# slipped in\n"
    read = SessionDocument("document", changed)
    with pytest.raises(BadSession, match="the document brings the code of"):
        read.strategy("my_trend")
    permit()
    try:
        assert list(read.other_sources()) == [
            "model my_trend: the code of trend is not what the session began with"
        ]
    finally:
        permit(False)


def test_a_new_strategy_is_checked_and_backtested_as_it_is(place: Place) -> None:
    made = place.run("new", "strategy", "above_average", "--json")
    assert made.exit_code == 0, made.stderr
    files = json.loads(made.stdout)["files"]
    assert files == ["above_average.py", "test_above_average.py", "above_average.yaml"]
    lines = [one for one in (place.folder / files[0]).read_text().splitlines() if one.strip()]
    assert len(lines) <= 10
    run = place.run("backtest", "run", "--config", "above_average.yaml")
    assert run.exit_code == 0, run.stderr
    assert "above_average" in run.stdout
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", files[1]]
    tested = subprocess.run(test, cwd=place.folder, capture_output=True, text=True, check=False)
    assert "2 passed" in tested.stdout, tested.stdout


def test_nothing_is_overwritten_and_a_name_that_is_none_is_refused(place: Place) -> None:
    (place.folder / "own.yaml").write_text("mine\n")
    again = place.run("new", "strategy", "own")
    assert again.exit_code == 1
    assert "own.yaml is there already, and nothing overwrites it" in again.stderr
    assert (place.folder / "own.yaml").read_text() == "mine\n"
    assert not (place.folder / "own.py").exists()
    for name, rule in (("My Trend", "lower case letters"), ("class", "means something else")):
        refused = place.run("new", "strategy", name)
        assert refused.exit_code == 1
        assert f"NAME is {name!r}; " in refused.stderr
        assert rule in refused.stderr


def check(place: Place, *arguments: str) -> Any:
    return place.run("backtest", "check", *arguments)


def test_check_ends_with_0_where_all_holds_and_1_with_the_sentence_where_not(place: Place) -> None:
    (place.folder / "trend.py").write_text(TREND)
    holds = check(place, "trend.py:trend", "--set", "window=3", "--json")
    assert holds.exit_code == 0, holds.stderr
    told = json.loads(holds.stdout)
    assert (told["holds"], told["parameters"]["window"], told["history"]) == (True, 3, 3)
    (place.folder / "trend.py").write_text(LEAK)
    leaks = check(place, "trend.py", "--json")
    assert leaks.exit_code == 1
    told = json.loads(leaks.stdout)
    assert told["causality"]["symbol"].startswith("TRIAL")
    assert told["sentence"].startswith("trend looks ahead: feature 0 of TRIAL")
    shown = check(place, "trend.py")
    assert shown.exit_code == 1
    assert "The certificate does not hold" in shown.stdout


def test_check_takes_bars_of_ones_own_and_a_registered_id(place: Place) -> None:
    run = check(place, "MomentumStrategy", "--set", "short_window=2", "--set", "long_window=5",
                "--data", "prices.csv", "--json")  # fmt: skip
    assert run.exit_code == 0, run.stderr
    assert json.loads(run.stdout)["closes"] > 5_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.py"], "none.py: there is no such file"),
        (["Nope"], "there is no model 'Nope'; registered are"),
        (["MomentumStrategy", "--set", "window"], "--set is 'window'; write NAME=VALUE"),
        (
            ["MomentumStrategy", "--set", "window=3"],
            "has no parameter 'window'; it has short_window",
        ),
        (["MomentumStrategy", "--data", "none.csv"], "none.csv"),
    ],
)
def test_what_check_cannot_do_is_one_sentence(
    place: Place, arguments: list[str], sentence: str
) -> None:
    run = check(place, *arguments)
    assert run.exit_code == 1
    assert sentence in run.stderr
    assert "defect" not in run.stderr


def test_one_file_may_say_all_of_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(ALL)
    configuration = read_configuration(path)
    assert configuration.models_path == configuration.universes_path == path
    assert [one.settings.universe for one in configuration.traded] == ["coins"]
    path.write_text(ALL.replace("universe: coins", "universe: coin"))
    with pytest.raises(ValueError, match=r"all.yaml: models.own.universe is 'coin'; .*coins"):
        read_configuration(path)
    path.write_text(ALL.replace("budget_fraction", "budget"))
    with pytest.raises(ValueError, match=r"key models\[0\].budget is unknown; did you mean"):
        read_configuration(path)


ALL = """
system: {mode: backtest}
models:
  - {name: own, strategy: own.py, universe: coins, budget_fraction: 1.0}
universes:
  coins: {symbols: [A], asset_class: crypto, calendar: 24/7, source: prices.csv}
"""
