"""Outputs are checked before a run, and `--json` means one thing in every command."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from stratvector.cli.failures import CommandFailed
from stratvector.cli.logs import logs_of
from stratvector.cli.main import app
from stratvector.cli.outputs import check_outputs, write_document
from stratvector.cli.tables import told_caveats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libs.cli.tests.conftest import Place


def commands(group: object) -> Iterator[tuple[str, object]]:
    """Every command below a group, by its words."""
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            yield from ((f"{name} {rest}", each) for rest, each in commands(command))
        else:
            yield name, command


def test_every_command_takes_json_with_a_file_or_nothing() -> None:
    found = dict(commands(typer.main.get_command(app)))
    assert {"up", "backtest run", "parity", "doctor", "ledger orders"} <= set(found)
    for name, command in found.items():
        (option,) = [o for o in command.params if "--json" in o.opts]  # type: ignore[attr-defined]
        assert option.metavar == "[FILE]", name
        for given, value in ((["--json"], "-"), (["--json", "x.json"], "x.json")):
            params = command.params  # type: ignore[attr-defined]
            arguments = ["SOURCE"] * any(o.param_type_name == "argument" for o in params)
            options = [o for o in params if o.required and o.param_type_name == "option"]
            arguments += [word for o in options for word in (o.opts[0], "WORD")]
            context = command.make_context(name, [*given, *arguments])  # type: ignore[attr-defined]
            assert context.params["json"] == Path(value), name
            context = command.make_context(name, [*arguments, *given])  # type: ignore[attr-defined]
            assert context.params["json"] == Path(value), name


def test_json_prints_the_document_and_with_a_file_the_tables_too(place: Place) -> None:
    printed = json.loads(place.backtest("--json").stdout)
    run = place.backtest("--json", "deep/run.json", "--out", "other")
    written = json.loads((place.folder / "deep" / "run.json").read_text())
    assert "Performance" in run.stdout
    for each in (printed, written):
        for key in ("seconds", "close_times_per_s", "results"):
            del each[key]
    assert printed == written
    assert [one.name for one in (place.folder / "deep").iterdir()] == ["run.json"]


@pytest.mark.parametrize("command", ["backtest", "up"])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--json", "config"], "--json config: it is a folder; give the name of a file"),
        (["--json", "/proc/x/run.json"], "--json /proc/x/run.json: nothing can be written there"),
        (["--json", "prices.csv/run.json"], "--json prices.csv/run.json: nothing can be written"),
        (["--out", "/proc/x"], "--out /proc/x: nothing can be written there"),
        (["--out", "prices.csv"], "--out prices.csv: nothing can be written there"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_run(
    place: Place, command: str, options: list[str], sentence: str
) -> None:
    before = sorted(place.folder.rglob("*"))
    run = getattr(place, command)(*options)
    assert run.exit_code == 1
    assert run.stderr.strip().splitlines()[-1].startswith(f"stratvector: {sentence}")
    assert len(run.stderr.strip().splitlines()) == 1
    assert sorted(place.folder.rglob("*")) == before


def test_what_is_made_to_find_out_does_not_stay(tmp_path: Path) -> None:
    check_outputs(tmp_path / "a" / "b" / "run.json", tmp_path / "c" / "results")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["backtest", "up"])
def test_a_disk_that_fills_up_during_a_run_costs_the_files_and_not_the_summary(
    place: Place, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    run = getattr(place, command)()
    assert run.exit_code == 1
    assert "Performance" in run.stdout
    assert "results:" not in run.stdout
    assert run.stderr.strip().splitlines()[-1] == (
        "stratvector: results: the results could not be written: no space left on device"
    )
    assert list((place.folder / "results").iterdir()) == []


def test_a_document_that_cannot_be_written_whole_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "run.json"
    write_document(place, {"run": 1})

    def full(self: Path, *_: object, **__: object) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        write_document(place, {"run": 2})
    assert list(tmp_path.iterdir()) == [place]
    assert json.loads(place.read_text()) == {"run": 1}


def test_logs_lie_where_the_results_do(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert logs_of(Path("results")) == Path("logs")
    assert logs_of(tmp_path / "results") == tmp_path / "logs"
    assert logs_of(tmp_path / "mine") == tmp_path / "mine" / "logs"
    (tmp_path / "results" / "run-1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "results" / "run-1")
    assert logs_of(Path("..")) == tmp_path / "logs"
    monkeypatch.chdir(tmp_path)
    assert place.up("--out", "elsewhere").exit_code == 0
    assert sorted(one.name for one in (tmp_path / "elsewhere" / "logs").iterdir()) == [
        "orders.log", "performance.log", "trades.log",
    ]  # fmt: skip
    assert not (tmp_path / "logs").exists()


def test_a_folder_that_is_no_place_for_a_file_is_named_by_its_option() -> None:
    with pytest.raises(CommandFailed, match=r"^--json /: it is a folder"):
        check_outputs(Path("/"))


def test_many_caveats_of_one_kind_are_told_by_the_first_and_a_count() -> None:
    caveats = [{"code": "missing_bars", "sentence": f"S{n}: a hole."} for n in range(500)]
    told = list(told_caveats([*caveats, {"code": "outlier", "sentence": "X: a jump."}]))
    assert told == [
        "S0: a hole.",
        "S1: a hole.",
        "S2: a hole.",
        "497 more of the kind missing_bars; result.json and --json hold all of them.",
        "X: a jump.",
    ]
    assert list(told_caveats(caveats[:3])) == ["S0: a hole.", "S1: a hole.", "S2: a hole."]
