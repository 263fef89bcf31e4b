"""`stratvector backtest run`: results on disk, tables, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

NAMES = ["equity.parquet", "fills.parquet", "orders.parquet", "result.json"]


def test_a_run_leaves_four_files_and_prints_where(place: Place) -> None:
    run = place.backtest()
    assert run.exit_code == 0, run.stderr
    (folder,) = place.results()
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert f"results/{folder.name}" in run.stdout
    assert "Sharpe" in run.stdout
    assert "EquityTrendModel_v1" in run.stdout


def test_a_second_run_gives_the_same_bytes_under_the_next_number(place: Place) -> None:
    assert place.backtest().exit_code == 0
    assert place.backtest().exit_code == 0
    first, second = place.results()
    assert first.name.removesuffix("-1") == second.name.removesuffix("-2")
    for name in NAMES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_other_configuration_or_other_data_is_another_run(place: Place) -> None:
    assert place.backtest().exit_code == 0
    place.change("system.yaml", "commission: 0.001", "commission: 0.002")
    assert place.backtest().exit_code == 0
    assert place.backtest("--end", "2020-05-29").exit_code == 0
    names = {folder.name.rpartition("-")[0] for folder in place.results()}
    assert len(names) == 3


def test_the_document_agrees_with_the_tables(place: Place) -> None:
    run = place.backtest("--json")
    document = json.loads(run.stdout)
    folder = place.results()[0]
    orders = pl.read_parquet(folder / "orders.parquet")
    fills = pl.read_parquet(folder / "fills.parquet")
    equity = pl.read_parquet(folder / "equity.parquet")
    assert document["orders"] == len(orders) > 0
    assert document["fills"] == len(fills) > 0
    assert document["close_times"] == len(equity)
    assert document["final_equity"] == equity["equity"][-1]
    assert document["bars"] == 104 + 150
    assert document["signals"] == document["bars"]
    profit = sum(model["profit"] for model in document["models"].values())
    assert profit == pytest.approx(document["final_equity"] - 50_000, abs=1e-6)
    assert document["run"] == folder.name
    saved = json.loads((folder / "result.json").read_text())
    assert saved == {key: document[key] for key in saved}


def test_lots_of_the_models_add_up_in_every_order_and_fill(place: Place) -> None:
    place.backtest()
    for name in ("orders", "fills"):
        table = pl.read_parquet(place.results()[0] / f"{name}.parquet")
        parts = table.select(pl.sum_horizontal(pl.col("^lots_.*$")))
        assert parts.to_series().to_list() == table["lots"].to_list()


def test_data_replaces_every_source(place: Place) -> None:
    place.change("universes.yaml", "source: prices.csv", "source: nowhere.csv")
    run = place.backtest("--data", "prices.csv")
    assert run.exit_code == 0, run.stderr


def test_out_says_where_results_go(place: Place) -> None:
    assert place.backtest("--out", "elsewhere").exit_code == 0
    assert not (place.folder / "results").exists()
    assert (place.folder / "elsewhere").is_dir()


def test_a_session_without_a_trade_says_so(place: Place) -> None:
    run = place.backtest("--start", "2020-06-29", "--end", "2020-06-30")
    assert run.exit_code == 0
    place.change("models.yaml", "slow_ma_period: 10", "slow_ma_period: 100000")
    place.change("models.yaml", "long_lookback: 8", "long_lookback: 100000")
    run = place.backtest()
    assert run.exit_code == 0
    assert "No trade: no model asked for a position" in run.stdout


def test_a_total_return_series_is_told(place: Place) -> None:
    place.change("universes.yaml", "symbols: [AAA, BBB]", "symbols: [AAPL, NFLX]")
    place.change("universes.yaml", "source: prices.csv", "source: sample")
    run = place.backtest("--json")
    caveats = json.loads(run.stdout)["caveats"]
    assert any("total-return" in caveat["sentence"] for caveat in caveats)


def test_results_that_cannot_be_written_are_one_sentence(place: Place) -> None:
    (place.folder / "results").write_text("a file")
    run = place.backtest()
    assert run.exit_code == 1
    assert run.stderr.strip().splitlines()[-1] == (
        "stratvector: --out results: nothing can be written there: not a directory"
    )


def test_a_run_leaves_no_draft(place: Place) -> None:
    place.backtest()
    assert [p for p in (place.folder / "results").iterdir() if p.name.startswith(".")] == []


def test_verbose_tells_every_order_and_fill_beside_the_document(place: Place) -> None:
    run = place.backtest("--json", "--verbose")
    document = json.loads(run.stdout)
    assert run.stderr.count(" orders to ") == document["orders"]
    assert run.stderr.count(" bought ") + run.stderr.count(" sold ") == document["fills"]


def test_progress_for_programs_is_a_line_for_each_phase_and_for_closes_done(place: Place) -> None:
    run = place.backtest("--progress", "json", "--json")
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    phases = [line["phase"] for line in lines]
    assert phases[0] == "loading bars"
    assert set(phases[1:-1]) == {"replaying"}
    assert phases[-1] == "writing results"
    done = [line["closes_done"] for line in lines[1:-1]]
    assert done == sorted(set(done))
    closes = json.loads(run.stdout)["close_times"]
    assert (done[0], done[-1]) == (0, closes)
    assert {line["closes"] for line in lines[1:-1]} == {closes}
    assert lines[-2]["date"] == "2020-07-01"


def test_the_module_is_the_command(place: Place) -> None:
    command = [sys.executable, "-m", "stratvector.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == place.run("--version").stdout


@pytest.fixture
def in_other_units(place: Place) -> Callable[[int], dict[str, Any]]:
    """A run of every price times 10^power; a lot is as large a part of the account as before."""
    frame, universes = pl.read_csv("prices.csv"), (place.config / "universes.yaml").read_text()

    def run(power: int) -> dict[str, Any]:
        scaled = pl.col("open", "high", "low", "close") * 10.0**power
        frame.with_columns(scaled).write_csv("prices.csv")
        text = universes.replace("price_precision: 4", f"lot_size: {10.0**-power / 1000}")
        text = text.replace("lot_size: 0.0001", f"lot_size: {10.0**-power / 10_000}")
        (place.config / "universes.yaml").write_text(text)
        result = place.backtest("--json")
        assert result.exit_code == 0, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    return run


def test_the_same_prices_in_other_units_give_the_same_return(
    in_other_units: Callable[[int], dict[str, Any]],
) -> None:
    runs = [in_other_units(power) for power in (-6, -3, 0, 3, 6)]
    assert runs[0]["fills"] > 40
    returns = [run["metrics"]["total_return"] for run in runs]
    assert returns == pytest.approx([returns[2]] * 5, abs=1e-3)
    grids = [run["config"]["universes"]["stocks"]["price_precision"] for run in runs]
    assert grids[0] == {"AAA": 12, "BBB": 12}
    assert grids[4] == {"AAA": 7, "BBB": 7}


def test_a_grid_that_would_change_the_prices_is_refused(place: Place) -> None:
    place.change("universes.yaml", "price_precision: 4", "price_precision: {BBB: 0}")
    run = place.backtest()
    assert run.exit_code == 1
    assert "universes.yaml: universes.stocks: BBB: with 0 decimals (price_precision)" in run.stderr
    assert "leave price_precision out" in run.stderr


def test_a_price_grid_of_a_symbol_that_is_not_there_is_refused(place: Place) -> None:
    place.change("universes.yaml", "price_precision: 4", "price_precision: {BBC: 2}")
    run = place.backtest()
    assert run.exit_code == 1
    assert "price_precision names BBC, which is not one of AAA, BBB" in run.stderr


def test_a_run_shows_and_writes_what_it_is_compared_with(place: Place) -> None:
    place.change("system.yaml", "models:", "benchmark: AAA\nmodels:")
    run = place.backtest()
    assert run.exit_code == 0, run.stderr
    assert "alpha and beta compare with AAA, total return" in run.stdout
    assert "max drawdown, daily" in run.stdout
    told = json.loads((place.results()[0] / "result.json").read_text())
    assert told["benchmark"]["name"] == "AAA"
    assert all(np.isfinite(told["metrics"][key]) for key in ("alpha", "beta", "information_ratio"))
    assert told["halts"] == []
    assert told["halted_since"] is None


MISTAKES = {
    "a key that nothing reads": ("mode: replay", "mod: replay", "key system.mod is unknown; did"),
    "a mode that needs a broker": (
        "mode: replay",
        "mode: live",
        "system.mode is 'live', but backtest run sends nothing to a broker: write backtest or",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_configuration_is_one_sentence_and_leaves_nothing(
    place: Place, mistake: str
) -> None:
    old, new, sentence = MISTAKES[mistake]
    place.change("system.yaml", old, new)
    run = place.backtest()
    assert run.exit_code == 1
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith(f"stratvector: config/system.yaml: {sentence}")
    assert "Traceback" not in run.stderr
    assert not (place.folder / "results").exists()
    assert not (place.folder / "logs").exists()


def test_what_the_options_say_is_checked_like_the_configuration(place: Place) -> None:
    run = place.run("backtest", "run", "--config", "nowhere.yaml")
    assert run.exit_code == 1
    assert "nowhere.yaml: there is no such file; give one with --config FILE" in run.stderr
    assert "command line: --start is 'x'; write 2018-01-31" in place.backtest("--start", "x").stderr
