"""`stratvector data`: bars into the Parquet store, and what is in it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stratvector.cli.failures import FAILED, CommandFailed, guarded
from stratvector.cli.outputs import AsJson, Commands, check_outputs, emit

if TYPE_CHECKING:
    from stratvector.market.read_options import ReadOptions

STORE = Path("data")

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE…", help="CSV, .csv.gz, Parquet, a folder, or prices/{symbol}.csv."
    ),
]
Store = Annotated[Path, typer.Option(metavar="DIR", help="The Parquet store.")]
Timeframe = Annotated[str, typer.Option(metavar="T", help="Length of a bar: 1D, 4H, 30M.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="OURS=THEIRS", help="A column's name, as timestamp=Date."),
]
Zone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="Zone of stamps that name none, not UTC.")
]
Times = Annotated[str, typer.Option(metavar="close|open", help="What the stamps are of a bar.")]
DateFormat = Annotated[
    str | None, typer.Option(metavar="PATTERN", help="Of the stamps, as %d.%m.%Y; else ISO 8601.")
]
Calendar = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="As XNYS or 24/7: holes are told, strays refused."),
]
Symbol = Annotated[
    str | None, typer.Option(metavar="NAME", help="Whose bars these are, if the file names none.")
]
Drop = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND", help="Leave out bad rows of a kind, as bad_price."),
]
Keep = Annotated[
    str | None,
    typer.Option(metavar="first|last", help="Which of several rows of one symbol and time stays."),
]

data = Commands(no_args_is_help=True, help="Bring bars into the Parquet store, and look into it.")


@data.command(
    "import",
    epilog="Example: stratvector data import us.csv --universe us --timeframe 1D --times open "
    "--calendar XNYS --map timestamp=Date --drop bad_price",
)
@guarded
def import_files(
    files: Files,
    universe: Annotated[str, typer.Option(metavar="U", help="The store's name for them.")],
    timeframe: Timeframe,
    columns: Columns = None,
    tz: Zone = None,
    times: Times = "close",
    date_format: DateFormat = None,
    calendar: Calendar = None,
    symbol: Symbol = None,
    drop: Drop = None,
    keep: Keep = None,
    store: Store = STORE,
    source: Annotated[
        str, typer.Option(metavar="NAME", help="Where the bars come from, for reports.")
    ] = "imported",
    adjusted: Annotated[
        bool, typer.Option("--adjusted", help="Splits and dividends are worked into the prices.")
    ] = False,
    revise: Annotated[
        bool, typer.Option("--revise", help="Let differing bars replace stored ones.")
    ] = False,
    json: AsJson = None,
) -> None:
    """Read files of any dialect into the store; a bad row refuses all but for a stated repair."""
    from stratvector.cli.bar_imports import Target, import_bars, read_paths
    from stratvector.cli.data_tables import print_import
    from stratvector.cli.logs import append

    check_outputs(json, store, "--store")
    with _refusals():
        options = _options(columns, tz, times, date_format, timeframe, calendar, symbol, drop, keep)
        found = read_paths(files, options, calendar)
        target = Target(store, universe, timeframe, source, adjusted)
        import_bars(found, target, revise)
    document: dict[str, Any] = {
        "store": str(store),
        "universe": universe,
        "timeframe": timeframe,
        "source": f"store:{store}",
        "files": [one.document() for one in found],
    }
    append("imports", [document | {"drop": drop or [], "keep": keep, "revise": revise}])
    emit(json, document, print_import, document)


@data.command(
    "validate",
    epilog="Example: stratvector data validate us.csv --timeframe 1D --times open --calendar XNYS",
)
@guarded
def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE…]", help="Files as for import; without them, the store."),
    ] = None,
    universe: Annotated[
        str | None, typer.Option(metavar="U", help="Of the store; without it, all.")
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option(metavar="T", help="Length of a bar: 1D, 4H, 30M.")
    ] = None,
    symbols: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Of the store, as AAPL,MSFT; without it, all."),
    ] = None,
    columns: Columns = None,
    tz: Zone = None,
    times: Times = "close",
    date_format: DateFormat = None,
    calendar: Calendar = None,
    symbol: Symbol = None,
    store: Store = STORE,
    json: AsJson = None,
) -> None:
    """Count bad rows and doubts, by kind, in files or in the store; exit code 1 if any is there."""
    from stratvector.cli.bar_imports import examine_paths
    from stratvector.cli.data_tables import print_validation

    check_outputs(json)
    with _refusals():
        if files:
            _refuse_beside_files(universe=universe, symbols=symbols)
            dialect = columns, tz, times, date_format
            options = _options(*dialect, timeframe, calendar, symbol, None, None)
            examined = [one.document() for one in examine_paths(files, options, calendar)]
        else:
            examined = _stored_quality(store, universe, timeframe, symbols, calendar)
    doubts = sum(bad["count"] for one in examined for bad in one["bad"])
    doubts += sum(len(one["quality"]) for one in examined)
    document = {"clean": not doubts, "examined": examined}
    emit(json, document, print_validation, document)
    if doubts:
        raise typer.Exit(FAILED)


@data.command("list", epilog="Example: stratvector data list --store data --json")
@guarded
def list_stored(store: Store = STORE, json: AsJson = None) -> None:
    """List what the store holds: first and last bar of each symbol, how many, and their source."""
    from stratvector.cli.bar_imports import stored, symbols_of
    from stratvector.cli.data_tables import print_series

    check_outputs(json)
    with _refusals():
        series = [
            {"universe": name, "timeframe": step, **row, "source": loaded.provenance.source}
            for name, step, loaded in stored(store)
            for row in symbols_of(loaded.bars)
        ]
    document = {"store": str(store), "series": series}
    emit(json, document, print_series, document)


def _stored_quality(
    store: Path,
    universe: str | None,
    timeframe: str | None,
    symbols: str | None,
    calendar: str | None,
) -> list[dict[str, Any]]:
    """What is doubtful about stored bars, one document per series."""
    from stratvector.cli.bar_imports import doubts_of, stored, symbols_of
    from stratvector.market.timeframes import timeframe as parse_timeframe

    wanted = None if timeframe is None else parse_timeframe(timeframe).name
    series = stored(store, universe, wanted)
    if not series:
        asked = " ".join(word for word in (universe, wanted) if word) or "bars"
        raise CommandFailed(f"{store}: the store holds no {asked}")
    examined = []
    for name, step, loaded in series:
        bars = loaded.bars if symbols is None else loaded.bars.select(symbols.split(","))
        doubts = doubts_of(bars, name, step, calendar)
        examined.append(
            {
                "path": str(store / name / step),
                "rows": sum(row["bars"] for row in symbols_of(bars)),
                "bad": [],
                "symbols": list(symbols_of(bars)),
                "quality": [each.document() for each in doubts],
            }
        )
    return examined


def _options(
    columns: Sequence[str] | None,
    tz: str | None,
    times: str,
    date_format: str | None,
    timeframe: str | None,
    calendar: str | None,
    symbol: str | None,
    drop: Sequence[str] | None,
    keep: str | None,
) -> "ReadOptions":
    """The options of reading. Raises BadOption and CommandFailed."""
    from stratvector.market.calendars import ALWAYS_OPEN
    from stratvector.market.read_options import ReadOptions
    from stratvector.market.timeframes import timeframe as parse_timeframe

    if timeframe is not None:
        parse_timeframe(timeframe)
    # Closes are held against a calendar only where one is named.
    scheduled = timeframe if calendar is not None or times == "open" else None
    return ReadOptions(
        columns=_mapping(columns or ()),
        tz=tz,
        date_format=date_format,
        times=times,  # type: ignore[arg-type]  # its own check names what is allowed
        timeframe=scheduled,
        calendar_name=calendar or ALWAYS_OPEN,
        symbol=symbol,
        drop=tuple(drop or ()),
        keep=keep,  # type: ignore[arg-type]
    )


def _mapping(pairs: Sequence[str]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not equals:
            raise CommandFailed(f"--map {pair}: write OURS=THEIRS, such as timestamp=Date")
        if ours in mapping:
            raise CommandFailed(f"--map {pair}: {ours} is mapped to {mapping[ours]} already")
        mapping[ours] = theirs
    return mapping


def _refuse_beside_files(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise CommandFailed(f"--{name} chooses from the store: nothing reads it beside files")


@contextmanager
def _refusals() -> Iterator[None]:
    """What market data refuses is a sentence for the user, no defect."""
    from stratvector.market import BadBars
    from stratvector.market.calendars import BadCalendar
    from stratvector.market.read_options import BadOption
    from stratvector.market.store import StoreError
    from stratvector.market.timeframes import UnknownTimeframe

    try:
        yield
    except (BadBars, BadCalendar, BadOption, StoreError, UnknownTimeframe) as error:
        # The library's own way to name a column is an option here.
        sentence = re.sub(r"columns=\{'(\w+)': '([^']+)'\}", r"--map \1=\2", str(error))
        raise CommandFailed(sentence) from error
