"""`stratvector data`: files of any dialect into the store, with every repair stated and told."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from stratvector.market import BarStore

if TYPE_CHECKING:
    from pathlib import Path

    from libs.cli.tests.conftest import Place

CLEAN = """Date,Symbol,Open,High,Low,Close,Volume
2024-01-02,AAA,10.0,11,9,10.1,100
2024-01-03,AAA,10.1,11,9,10.3,100
2024-01-04,AAA,10.3,11,9,10.2,100
"""
BAD = """2024-01-04,AAA,10.3,11,9,10.4,100
2024-01-05,AAA,10,11,9,x,100
2024-01-08,AAA,10,11,9,-3,100
2024-01-09,AAA,10.4,11,9,10.5,100
2024-01-10,AAA,10.5,11,9,10.6,-1
"""
DIALECT = ["--timeframe", "1D", "--times", "open", "--calendar", "XNYS", "--map", "timestamp=Date"]
IMPORT = ["data", "import", "us.csv", "--universe", "us", *DIALECT]
REPAIRS = ["--drop=not_a_number", "--drop=bad_price", "--drop=bad_volume", "--keep", "last"]


@pytest.fixture
def bare(place: Place) -> Path:
    """The folder with a bad file in it."""
    (place.folder / "us.csv").write_text(CLEAN + BAD)
    return place.folder


def test_a_bad_file_names_all_its_kinds_and_nothing_is_stored(place: Place, bare: Path) -> None:
    run = place.run(*IMPORT)
    assert run.exit_code == 1
    (sentence,) = run.stderr.strip().splitlines()
    for kind in (
        "1 row with a price or volume that is not a number (us.csv row 6: close 'x'",
        "1 row with a price that is not finite and above 0 (us.csv row 7:",
        "1 row with a volume that is not finite and at least 0 (us.csv row 9:",
        "1 row with a symbol and time that another row has (us.csv row 5:",
    ):
        assert kind in sentence
    assert not (bare / "data").exists()
    assert not (bare / "logs").exists()


def test_repairs_that_are_asked_for_are_counted_logged_and_a_caveat(
    place: Place, bare: Path
) -> None:
    run = place.run(*IMPORT, *REPAIRS, "--json")
    assert run.exit_code == 0, run.stderr
    (read,) = json.loads(run.stdout)["files"]
    assert read["rows"] == 8
    assert {each["kind"]: (each["count"], each["removed"]) for each in read["bad"]} == {
        "not_a_number": (1, True),
        "bad_price": (1, True),
        "bad_volume": (1, True),
        "duplicate": (1, True),
    }
    assert read["symbols"] == [
        {
            "symbol": "AAA",
            "first": "2024-01-02T21:00:00Z",
            "last": "2024-01-09T21:00:00Z",
            "bars": 4,
        }
    ]
    (line,) = (bare / "logs" / "imports.log").read_text().splitlines()
    logged = json.loads(line)
    assert (logged["drop"], logged["keep"]) == (["not_a_number", "bad_price", "bad_volume"], "last")
    loaded = BarStore(bare / "data").read("us", "1D")
    assert loaded.bars.close[:, 0].tolist() == [10.1, 10.3, 10.4, 10.5]
    notes = [str(caveat) for caveat in loaded.provenance.caveats()]
    assert len(notes) == 4
    assert all(note.startswith("us.csv: 1 row with") for note in notes)


def test_an_import_repeats_without_harm_and_revises_only_when_told(
    place: Place, bare: Path
) -> None:
    (bare / "us.csv").write_text(CLEAN)
    for _ in range(2):
        assert place.run(*IMPORT).exit_code == 0
    (bare / "us.csv").write_text(CLEAN.replace("10.2", "10.25"))
    run = place.run(*IMPORT)
    assert run.exit_code == 1
    assert "AAA at 2024-01-04T21:00:00Z: close is stored as 10.2" in run.stderr
    assert place.run(*IMPORT, "--revise").exit_code == 0
    assert BarStore(bare / "data").read("us", "1D").bars.close[-1, 0] == 10.25


def test_validate_counts_bad_rows_and_doubts_of_files_and_of_the_store(
    place: Place, bare: Path
) -> None:
    validate = ["data", "validate", "us.csv", *DIALECT]
    run = place.run(*validate, "--json")
    assert run.exit_code == 1
    document = json.loads(run.stdout)
    (found,) = document["examined"]
    assert not document["clean"]
    assert [each["kind"] for each in found["bad"]] == [
        "not_a_number", "bad_price", "bad_volume", "duplicate",
    ]  # fmt: skip
    assert not any(each["removed"] for each in found["bad"])
    (hole,) = found["quality"]
    assert (hole["code"], hole["count"]) == ("missing_sessions", 2)
    assert not (bare / "data").exists()
    (bare / "us.csv").write_text(CLEAN)
    assert place.run(*validate).stdout.splitlines()[-1] == "clean"
    assert place.run(*IMPORT).exit_code == 0
    assert place.run("data", "validate", "--calendar", "XNYS").exit_code == 0
    (bare / "us.csv").write_text(CLEAN.splitlines()[0] + "\n2024-01-08,AAA,10,11,9,10.1,100\n")
    assert place.run(*IMPORT).exit_code == 0
    run = place.run("data", "validate", "--universe", "us", "--calendar", "XNYS")
    assert run.exit_code == 1
    assert "missing_sessions: us: no symbol has a bar at 1 close of the schedule" in run.stdout


def test_list_tells_what_the_store_holds(place: Place, bare: Path) -> None:
    assert "data: the store holds no bars" in place.run("data", "list").stdout
    (bare / "us.csv").write_text(CLEAN)
    place.run(*IMPORT, "--source", "acme")
    document = json.loads(place.run("data", "list", "--json").stdout)
    assert document["series"] == [
        {
            "universe": "us",
            "timeframe": "1D",
            "symbol": "AAA",
            "first": "2024-01-02T21:00:00Z",
            "last": "2024-01-04T21:00:00Z",
            "bars": 3,
            "source": "acme",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--map", "timestamp"], "--map timestamp: write OURS=THEIRS, such as timestamp=Date"),
        (["--map", "timestam=Date"], "columns has the key 'timestam', which nothing reads"),
        (["--drop", "bad_prise"], "drop='bad_prise' is unknown: did you mean"),
        (["--keep", "both"], "keep='both' is unknown"),
        (["--times", "opened"], "times='opened' is unknown: did you mean"),
        (["--tz", "Mars"], "tz='Mars' is unknown"),
        (["--calendar", "XNOWHERE"], "calendar 'XNOWHERE' is unknown"),
        (["--timeframe", "7H"], "timeframe '7H' is unknown"),
        (["--universe", "a/b"], "universe 'a/b' makes no folder"),
        (["--store", "us.csv"], "--store us.csv: nothing can be written there"),
    ],
)
def test_an_option_that_means_nothing_is_refused(
    place: Place, bare: Path, arguments: list[str], sentence: str
) -> None:
    (bare / "us.csv").write_text(CLEAN.replace("Date", "timestamp"))
    run = place.run("data", "import", "us.csv", "--universe", "us", "--timeframe", "1D", *arguments)
    assert run.exit_code == 1
    assert sentence in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert not (bare / "data").exists()


def test_a_column_that_is_missing_is_named_with_the_option_that_maps_it(
    place: Place, bare: Path
) -> None:
    run = place.run("data", "validate", "us.csv")
    assert "column 'timestamp' is missing" in run.stderr
    assert "as in --map timestamp=Date" in run.stderr


def test_a_universe_reads_a_file_of_any_dialect(place: Place) -> None:
    """One file per symbol, compressed, sessions' dates, other names: the same bars."""
    plain = json.loads(place.backtest("--json").stdout)
    rows = [line.split(",") for line in (place.folder / "prices.csv").read_text().splitlines()[1:]]
    folder = place.folder / "stocks"
    folder.mkdir()
    for symbol in ("AAA", "BBB"):
        lines = ["Day;O;H;L;C;V".replace(";", ",")]
        for stamp, name, *values in rows:
            if name == symbol:
                day = f"{_date(int(stamp)):%d.%m.%Y}"
                lines.append(",".join([day, *values]))
        with gzip.open(folder / f"{symbol}.csv.gz", "wt") as file:
            file.write("\n".join(lines) + "\n")
    (folder / "ZZZ.csv.gz").write_bytes(b"not of this universe, and never read")
    place.change(
        "universes.yaml",
        "calendar: XNYS\n    source: prices.csv",
        "calendar: XNYS\n    source: stocks/{symbol}.csv.gz\n    times: open\n"
        '    date_format: "%d.%m.%Y"\n'
        "    columns: {timestamp: Day, open: O, high: H, low: L, close: C, volume: V}",
    )
    run = place.backtest("--json")
    assert run.exit_code == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["data_hash"] == plain["data_hash"]
    assert found["final_equity"] == plain["final_equity"]


def test_a_file_without_symbols_is_the_one_symbol_of_its_universe(place: Place) -> None:
    plain = json.loads(place.backtest("--json").stdout)
    header, *rows = (place.folder / "prices.csv").read_text().splitlines()
    coin = [header.replace("symbol,", "")]
    coin += [row.replace("CCC-USD,", "") for row in rows if "CCC-USD" in row]
    (place.folder / "coin.csv").write_text("\n".join(coin) + "\n")
    place.change(
        "universes.yaml",
        "calendar: 24/7\n    source: prices.csv",
        "calendar: 24/7\n    source: coin.csv",
    )
    assert json.loads(place.backtest("--json").stdout)["data_hash"] == plain["data_hash"]


def test_repairs_of_a_universe_are_caveats_of_its_results(place: Place) -> None:
    prices = place.folder / "prices.csv"
    rows = prices.read_text().splitlines()
    rows[-1] = rows[-1].rsplit(",", 1)[0] + ",-5"
    prices.write_text("\n".join(rows) + "\n")
    assert "1 row with a volume that is not finite" in place.backtest().stderr
    universes = place.config / "universes.yaml"
    text = universes.read_text()
    source = "source: prices.csv"
    universes.write_text(text.replace(source, f"{source}\n    drop: [bad_volume]"))
    caveats = json.loads(place.backtest("--json").stdout)["caveats"]
    assert (
        "prices.csv: 1 row with a volume that is not finite and at least 0"
        in (caveats[0]["sentence"])
    )
    universes.write_text(text.replace(source, f"{source}\n    columns: {{clos: C}}"))
    assert "columns has the key 'clos', which nothing reads: did you mean close?" in (
        place.backtest().stderr
    )


def test_how_to_read_a_file_is_refused_of_a_source_that_is_none(place: Place) -> None:
    place.change("universes.yaml", "source: prices.csv", "source: store:data\n    tz: Asia/Tokyo")
    sentence = "source store:data is no file, so nothing reads how a file is to be read"
    assert sentence in place.backtest().stderr


def _date(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp / 1e9, tz=UTC)
