"""The command itself: help with examples, version, doctor, failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from stratvector.cli.bus_access import user_name
from stratvector.cli.failures import guarded
from stratvector.runtime.documents import StaleDocument
from stratvector.trading.bad_strategy import BadSignal

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place


@pytest.mark.parametrize("command", [[], ["up"], ["backtest", "run"], ["parity"], ["doctor"]])
def test_help_shows_an_example(place: Place, command: list[str]) -> None:
    run = place.run(*command, "--help")
    assert run.exit_code == 0
    assert f"Example: stratvector {' '.join(command)}" in run.stdout


def test_help_loads_no_data_package() -> None:
    code = (
        "import sys; from stratvector.cli import main; "
        "print([m for m in ('numba', 'polars', 'pandas', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_printed(place: Place) -> None:
    run = place.run("--version")
    assert (run.exit_code, run.stdout) == (0, "stratvector 0.1.0\n")


def test_a_wrong_option_is_a_usage_error(place: Place) -> None:
    run = place.run("up", "--onec")
    assert run.exit_code == 2
    assert "No such option: --onec" in run.stderr


@guarded
def broken() -> None:
    raise KeyError("missing")


@pytest.mark.parametrize("is_writable", [True, False], ids=["in a folder", "in a container"])
def test_a_defect_is_one_sentence_and_a_logged_traceback(
    place: Place, capsys: pytest.CaptureFixture[str], is_writable: bool
) -> None:
    """Where no file can be written, as in a container with a read-only root, it is told whole."""
    log = place.folder / "logs" / "errors.log"
    if not is_writable:
        log.parent.touch()
    with pytest.raises(typer.Exit) as ended:
        broken()
    assert ended.value.exit_code == 1
    said = capsys.readouterr().err
    where = "in logs/errors.log" if is_writable else "this:"
    assert f"KeyError: 'missing'; this is a defect, its traceback is {where}" in said
    told = json.loads(log.read_text())["traceback"] if is_writable else said
    assert "in broken" in told


def test_a_user_without_a_name_is_known_by_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, whose user stands in no file."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    assert user_name() == "uid 54321"


def test_a_strategy_that_no_run_can_use_is_one_sentence(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    @guarded
    def run() -> None:
        raise BadSignal("weight", "A", "trend", 0, 7.0, "|weight| <= 1 must hold")

    with pytest.raises(typer.Exit) as ended:
        run()
    assert ended.value.exit_code == 1
    sentence = "weight of A by model trend is 7 at 1970-01-01T00:00:00Z; |weight| <= 1 must hold"
    assert capsys.readouterr().err.strip() == f"stratvector: {sentence}"
    assert not (place.folder / "logs").exists()


def test_a_document_that_somebody_else_changed_meanwhile_is_one_sentence(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    @guarded
    def run() -> None:
        raise StaleDocument("replay.a.main", 2)

    with pytest.raises(typer.Exit) as ended:
        run()
    assert ended.value.exit_code == 1
    sentence = (
        "the document of replay.a.main was changed meanwhile: this change was made on version 2"
    )
    assert capsys.readouterr().err.startswith(f"stratvector: {sentence}; look at it again")
    assert not (place.folder / "logs").exists()


def test_doctor_finds_a_good_machine_ready(place: Place) -> None:
    run = place.run("doctor")
    assert run.exit_code == 0, run.stdout
    assert run.stdout.splitlines()[-1].startswith("Ready: 11 checks passed")
    document = json.loads(place.run("doctor", "--json").stdout)
    assert document["healthy"] is True
    assert {"check", "state", "detail"} == set(document["checks"][0])


def test_doctor_lists_packages_when_asked(place: Place) -> None:
    assert "numba " in place.run("doctor", "--verbose").stdout


def test_doctor_names_what_must_be_repaired(place: Place) -> None:
    (place.folder / "prices.csv").unlink()
    run = place.run("doctor")
    assert run.exit_code == 1
    assert run.stdout.splitlines()[-1] == "Not ready: data must be repaired first."


def test_the_installed_command_runs(place: Place) -> None:
    command = Path(sys.executable).with_name("stratvector")
    arguments = ["backtest", "run", "--config", "config/system.yaml", "--json"]
    done = subprocess.run([str(command), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["fills"] > 0


def test_results_arrive_though_nobody_reads_the_progress(place: Place) -> None:
    command = Path(sys.executable).with_name("stratvector")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [str(command), "backtest", "run", "--config", "config/system.yaml", "--verbose"],
        stdout=subprocess.PIPE,
        stderr=writing,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 0
    assert "results: " in done.stdout


def test_a_reader_who_leaves_early_gets_no_traceback(place: Place) -> None:
    command = Path(sys.executable).with_name("stratvector")
    pipeline = f"{command} backtest run --config config/system.yaml --json | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", pipeline], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
